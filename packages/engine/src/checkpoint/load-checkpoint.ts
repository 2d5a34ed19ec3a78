import { KayaError, type LogPosition, type SequenceNumber } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { isLogId, readRecordFile, type WalRecord } from "@kaya/wal";
import { compareBytes } from "../memtable/bytes.js";
import type { CheckpointFile } from "./checkpoint-files.js";

export interface LoadCheckpointOptions {
  readonly maxRecordBytes: number;
  /**
   * Called for each entry in key order; the bytes never change. Where the file is refused in the end, they stand for nothing. Where it
   * gives a promise, the next entry comes once that has resolved.
   */
  readonly onEntry: (
    key: Uint8Array,
    value: Uint8Array,
    sequence: SequenceNumber,
  ) => Promise<void> | undefined;
  /** Called about once a mebibyte. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface LoadedCheckpoint {
  readonly covered: CoveredLog;
  readonly entries: number;
}

/** The last record that a checkpoint covers, and of which log. */
export interface CoveredLog extends LogPosition {
  readonly logId: string;
}

/** Key of the record that a checkpoint begins with; its value is the log's id. */
export const LOG_ID_KEY = Buffer.from("log-id");

/**
 * Which log a checkpoint covers, of its first record alone.
 * @returns undefined where that is not whole: what follows it is not looked at
 * @throws KayaError KAYA_IO
 */
export async function readCover(
  disk: Disk,
  file: CheckpointFile,
  maxRecordBytes: number,
): Promise<CoveredLog | undefined> {
  let first: CoveredLog | undefined;
  try {
    const windows = readRecordFile(disk, file.path, maxRecordBytes, (record, offset) => {
      if (offset === 0) first = coveredBy(record, file);
    });
    for await (const _offset of windows) break;
  } catch (error) {
    if (!KayaError.is(error) || error.code === "KAYA_IO") throw error;
  }
  return first;
}

/** Undefined where the record is none that a checkpoint begins with. */
function coveredBy({ lsn, sequence, payload }: WalRecord, file: CheckpointFile): CoveredLog | undefined {
  if (payload.type !== "put" || lsn !== file.lsn || compareBytes(payload.key, LOG_ID_KEY) !== 0)
    return undefined;
  const logId = Buffer.from(payload.value).toString("latin1");
  return isLogId(logId) ? { lsn, sequence, logId } : undefined;
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
  #covered: CoveredLog | undefined;
  #entries = 0;
  #lastKey: Uint8Array | undefined;
  #isClosed = false;

  constructor(file: CheckpointFile, onEntry: LoadCheckpointOptions["onEntry"]) {
    this.#file = file;
    this.#onEntry = onEntry;
  }

  accept(record: WalRecord, offset: number): Promise<void> | undefined {
    const { lsn, sequence, payload } = record;
    if (this.#covered === undefined) {
      this.#covered = coveredBy(record, this.#file);
      if (this.#covered === undefined) throw this.#bad(offset, "it does not begin as one");
      return undefined;
    }
    const expected = this.#covered.lsn + this.#entries + 1;
    if (this.#isClosed) throw this.#bad(offset, "records follow its end");
    if (lsn !== expected) throw this.#bad(offset, `LSN ${lsn} stands where ${expected} must`);
    if (sequence > this.#covered.sequence)
      throw this.#bad(offset, `sequence ${sequence} is above its last one`);
    if (payload.type === "put") return this.#acceptEntry(payload.key, payload.value, sequence, offset);
    if (payload.type !== "noop") throw this.#bad(offset, `it holds a record of type ${payload.type}`);
    this.#isClosed = true;
    return undefined;
  }

  finish(): LoadedCheckpoint {
    if (this.#covered === undefined || !this.#isClosed) {
      throw this.#bad(this.#file.bytes, "its end is missing");
    }
    return { covered: this.#covered, entries: this.#entries };
  }

  #acceptEntry(
    key: Uint8Array,
    value: Uint8Array,
    sequence: SequenceNumber,
    offset: number,
  ): Promise<void> | undefined {
    if (this.#lastKey !== undefined && compareBytes(this.#lastKey, key) >= 0) {
      throw this.#bad(offset, "its keys are not in order");
    }
    this.#lastKey = key;
    this.#entries++;
    return this.#onEntry(key, value, sequence);
  }

  #bad(offset: number, what: string): KayaError {
    return new KayaError(
      "KAYA_CORRUPTION",
      `${this.#file.path} at offset ${offset}: this is no whole checkpoint, ${what}. A crash cannot have done this. ` +
        "Nothing was changed: restore the file from a backup.",
    );
  }
}
