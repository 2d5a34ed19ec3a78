import { fdatasyncSync, writeSync } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { encodeRecord } from "@kaya/wal";
import type { Entry, Store, System } from "../system.js";

/**
 * No store: one file, and for each group of puts one `write` of the bytes that the log would have for them, then one
 * `fdatasync` where it is durable. Plain `fs/promises`, one group at a time. It encodes before it is timed and makes no promise a put: the
 * rest is the limit of the system and Node's thread pool.
 */
export const rawLoop: System = {
  name: "raw loop",
  kind: "raw",
  onDisk: true,
  setup: {
    durable: "FileHandle.write, then FileHandle.datasync; synchronous: writeSync, fdatasyncSync",
    relaxed: "FileHandle.write",
  },
  async open(dir, durability) {
    await mkdir(dir, { recursive: true });
    return new RawLoop(await open(join(dir, "raw"), "a"), durability === "durable");
  },
};

export class RawLoop implements Store {
  readonly #file: FileHandle;
  readonly #isDurable: boolean;

  constructor(file: FileHandle, isDurable: boolean) {
    this.#file = file;
    this.#isDurable = isDurable;
  }

  put(key: Uint8Array, value: Uint8Array): Promise<void> {
    return this.append(encodePuts([{ key, value }]));
  }

  putSync(key: Uint8Array, value: Uint8Array): void {
    this.appendSync(encodePuts([{ key, value }]));
  }

  batch(entries: readonly Entry[]): Promise<void> {
    return this.append(encodeBatch(entries));
  }

  async append(bytes: Uint8Array): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      written += (await this.#file.write(bytes, written, bytes.length - written)).bytesWritten;
    }
    if (this.#isDurable) await this.#file.datasync();
  }

  appendSync(bytes: Uint8Array): void {
    let written = 0;
    while (written < bytes.length) {
      written += writeSync(this.#file.fd, bytes, written, bytes.length - written);
    }
    if (this.#isDurable) fdatasyncSync(this.#file.fd);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Puts as the log has them: one record each. */
export function encodePuts(entries: readonly Entry[]): Uint8Array {
  return Buffer.concat(
    entries.map(({ key, value }, i) =>
      encodeRecord({ lsn: i + 1, sequence: i + 1, payload: { type: "put", key, value } }),
    ),
  );
}

/** A batch as the log has it: one record for all. */
export function encodeBatch(entries: readonly Entry[]): Uint8Array {
  const operations = entries.map(({ key, value }) => ({ type: "put" as const, key, value }));
  return encodeRecord({ lsn: 1, sequence: 1, payload: { type: "batch", operations } });
}
