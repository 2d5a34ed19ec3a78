import { KayaError, type LogPosition, type SequenceNumber } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { readRecordFile, type WalRecord } from "@kaya/wal";
import { compareBytes } from "../memtable/bytes.js";
import type { CheckpointFile } from "./checkpoint-files.js";

export interface LoadCheckpointOptions {
  readonly maxRecordBytes: number;
  /** Called for each entry in key order; the bytes never change. Where the file is refused in the end, they stand for nothing. */
  readonly onEntry: (key: Uint8Array, value: Uint8Array, sequence: SequenceNumber) => void;
  /** Called about once a mebibyte. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface LoadedCheckpoint {
  readonly covered: LogPosition;
  readonly entries: number;
}

/**
 * Reads a checkpoint from end to end and checks all of it. It got its name when it was whole and durable, so one that is not
 * whole is refused, in every mode of recovery: what it covers may be in no log any more.
 * @throws KayaError KAYA_CORRUPTION with file and offset, KAYA_UNSUPPORTED_VERSION, KAYA_INVALID_ARGUMENT (a record over
 *   `maxRecordBytes`), KAYA_IO
 */
export async function loadCheckpoint(
  disk: Disk,
  file: CheckpointFile,
  { maxRecordBytes, onEntry, onProgress }: LoadCheckpointOptions,
): Promise<LoadedCheckpoint> {
  const checker = new CheckpointChecker(file, onEntry);
  const windows = readRecordFile(disk, file.path, maxRecordBytes, (record, offset) =>
    checker.accept(record, offset),
  );
  for await (const offset of windows) onProgress?.(offset);
  return checker.finish();
}

class CheckpointChecker {
  readonly #file: CheckpointFile;
  readonly #onEntry: LoadCheckpointOptions["onEntry"];
  #covered: LogPosition | undefined;
  #entries = 0;
  #lastKey: Uint8Array | undefined;
  #isClosed = false;

  constructor(file: CheckpointFile, onEntry: LoadCheckpointOptions["onEntry"]) {
    this.#file = file;
    this.#onEntry = onEntry;
  }

  accept({ lsn, sequence, payload }: WalRecord, offset: number): void {
    if (this.#covered === undefined) {
      if (payload.type !== "noop" || lsn !== this.#file.lsn)
        throw this.#bad(offset, "it does not begin as one");
      this.#covered = { lsn, sequence };
      return;
    }
    const expected = this.#covered.lsn + this.#entries + 1;
    if (this.#isClosed) throw this.#bad(offset, "records follow its end");
    if (lsn !== expected) throw this.#bad(offset, `LSN ${lsn} stands where ${expected} must`);
    if (sequence > this.#covered.sequence)
      throw this.#bad(offset, `sequence ${sequence} is above its last one`);
    if (payload.type === "noop") this.#isClosed = true;
    else if (payload.type === "put") this.#acceptEntry(payload.key, payload.value, sequence, offset);
    else throw this.#bad(offset, `it holds a record of type ${payload.type}`);
  }

  finish(): LoadedCheckpoint {
    if (this.#covered === undefined || !this.#isClosed) {
      throw this.#bad(this.#file.bytes, "its end is missing");
    }
    return { covered: this.#covered, entries: this.#entries };
  }

  #acceptEntry(key: Uint8Array, value: Uint8Array, sequence: SequenceNumber, offset: number): void {
    if (this.#lastKey !== undefined && compareBytes(this.#lastKey, key) >= 0) {
      throw this.#bad(offset, "its keys are not in order");
    }
    this.#lastKey = key;
    this.#entries++;
    this.#onEntry(key, value, sequence);
  }

  #bad(offset: number, what: string): KayaError {
    return new KayaError(
      "KAYA_CORRUPTION",
      `${this.#file.path} at offset ${offset}: this is no whole checkpoint, ${what}. A crash cannot have done this. ` +
        "Nothing was changed: restore the file from a backup.",
    );
  }
}
