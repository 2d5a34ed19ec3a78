import { allocateBytes, KayaError } from "@kaya/core";
import type { DiskFile } from "@kaya/io";
import { BufferPool } from "../cache/buffer-pool.js";

/** Bytes of one write: large enough that a disk is at its best. */
export const WRITE_BYTES = 256 * 1024;

const NO_BYTES = new Uint8Array(0);
const BUFFER_BYTES = WRITE_BYTES + 64 * 1024;
/** Of all tables that are written: a table needs two, and two may be written at a time. */
const pool = new BufferPool({ mostFree: 4 * BUFFER_BYTES, unit: 64 * 1024, largest: BUFFER_BYTES });

/** Collects a file's bytes in one buffer while it writes those of another. */
export class TableOutput {
  readonly #file: DiskFile;
  readonly #syncBytes: number;
  #buffer = pool.take(BUFFER_BYTES);
  #spare: Uint8Array | undefined;
  #used = 0;
  /** File offset of the buffer's first byte. */
  #start = 0;
  #unsynced = 0;
  #writing: Promise<void> | undefined;

  /** @param syncBytes syncs after so many bytes: one large sync at the end would delay others */
  constructor(file: DiskFile, syncBytes: number) {
    this.#file = file;
    this.#syncBytes = syncBytes;
  }

  /** File offset of the next byte. */
  get offset(): number {
    return this.#start + this.#used;
  }

  /** Takes a copy. */
  put(bytes: Uint8Array): void {
    const end = this.#used + bytes.length;
    if (end > this.#buffer.length) {
      const larger = allocateBytes(Math.max(end, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#used));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used = end;
  }

  /**
   * Begins a write if enough was put. Gives a promise if the write before is still under way.
   * @throws KayaError of a failed write or sync
   */
  drain(): Promise<void> | undefined {
    if (this.#used < WRITE_BYTES) return undefined;
    if (this.#writing !== undefined) return this.#writing.then(() => this.#begin());
    this.#begin();
    return undefined;
  }

  /** Writes all that was put. */
  async flush(): Promise<void> {
    await this.#writing;
    this.#begin();
    await this.#writing;
  }

  /** Gives its buffers back, after `flush`. Nothing can be put afterwards. */
  release(): void {
    pool.give(this.#buffer);
    if (this.#spare !== undefined) pool.give(this.#spare);
    this.#buffer = NO_BYTES;
    this.#spare = undefined;
  }

  /** Waits for the end of a write under way, and ignores its outcome. */
  async settle(): Promise<void> {
    await this.#writing?.catch(() => undefined);
  }

  #begin(): void {
    const bytes = this.#buffer.subarray(0, this.#used);
    const full = this.#buffer;
    const start = this.#start;
    this.#buffer = this.#spare ?? pool.take(full.length);
    this.#spare = undefined;
    this.#start += this.#used;
    this.#used = 0;
    const writing = this.#write(bytes, start).then(() => {
      this.#spare = full;
      if (this.#writing === writing) this.#writing = undefined;
    });
    writing.catch(() => undefined); // reported by the next call
    this.#writing = writing;
  }

  async #write(bytes: Uint8Array, start: number): Promise<void> {
    const at = await this.#file.append(bytes);
    if (at !== start) {
      throw new KayaError(
        "KAYA_IO",
        `${this.#file.path} ended at ${at} instead of ${start}: does somebody else write to it?`,
      );
    }
    this.#unsynced += bytes.length;
    if (this.#unsynced < this.#syncBytes) return;
    await this.#file.sync();
    this.#unsynced = 0;
  }
}
