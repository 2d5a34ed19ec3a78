import { KayaError, type LogPosition } from "@kaya/core";
import type { Disk, DiskFile } from "@kaya/io";
import { RecordBuffer } from "@kaya/wal";
import type { EntryReader } from "../memtable/entry-reader.js";
import type { MemtableSnapshot } from "../memtable/memtable-snapshot.js";
import {
  type CheckpointFile,
  checkpointPath,
  listCheckpoints,
  makeNameDurable,
  temporaryPath,
} from "./checkpoint-files.js";
import { type CoveredLog, LOG_ID_KEY } from "./load-checkpoint.js";

/** Bytes of one write and its fsync: while that is under way those of the log wait. Less would cost more fsyncs than it saves waiting. */
const STEP_BYTES = 64 * 1024;
const ENTRIES_AT_ONCE = 64;

export interface CheckpointProgress {
  readonly entries: number;
  readonly totalEntries: number;
  /** Written so far. */
  readonly bytes: number;
}

export interface WriteCheckpointOptions {
  /** Called after each step; the next one waits for it. It may throw, and so end the writing. */
  readonly onStep?: (progress: CheckpointProgress) => Promise<void> | void;
}

/**
 * Writes a checkpoint: the entries of a snapshot in key order, framed as records behind one that says what is covered, of which log, and
 * before one that proves that nothing is missing. It has its name only once it is whole and durable; where anything fails nothing is left.
 * @param covered the last record of the log that the snapshot shows
 * @throws KayaError KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO, and what the callbacks throw
 */
export async function writeCheckpoint(
  disk: Disk,
  covered: CoveredLog,
  snapshot: MemtableSnapshot,
  options: WriteCheckpointOptions = {},
): Promise<CheckpointFile> {
  assertNumbered(covered, snapshot.size);
  const temporary = temporaryPath(covered.lsn);
  const path = checkpointPath(covered.lsn);
  const made = [temporary];
  await disk.remove(temporary);
  try {
    const bytes = await writeFile(disk, temporary, covered, snapshot, options);
    // C11: a file that has the name already is whole. Another whole one may take its place; it is not removed. Also a rename that fails
    // may have been done.
    if (!(await isThere(disk, path))) made.push(path);
    await disk.rename(temporary, path);
    await makeNameDurable(disk);
    return { lsn: covered.lsn, path, bytes };
  } catch (error) {
    // Whether its name is durable is not known then. What cannot be removed now is no harm: a temporary name says what it is, and
    // a file with the other name is whole, and the log that it covers is still there.
    for (const left of made) await disk.remove(left).catch(() => undefined);
    throw error;
  }
}

async function isThere(disk: Disk, path: string): Promise<boolean> {
  const { newest, older } = await listCheckpoints(disk);
  return newest?.path === path || older.some((file) => file.path === path);
}

// Its records are numbered on from what it covers, and a reader refuses a number that is larger.
function assertNumbered({ lsn }: LogPosition, entries: number): void {
  if (lsn + entries + 1 <= Number.MAX_SAFE_INTEGER) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `a checkpoint of ${entries} entries at LSN ${lsn} needs LSNs above 2^53 - 1, the last. Nothing was changed.`,
  );
}

async function writeFile(
  disk: Disk,
  path: string,
  covered: CoveredLog,
  snapshot: MemtableSnapshot,
  { onStep }: WriteCheckpointOptions,
): Promise<number> {
  const file = await disk.open(path, { create: true, exclusive: true });
  try {
    const writer = new CheckpointWriter(file, covered, snapshot);
    while (await writer.step()) {
      await onStep?.({ entries: writer.entries, totalEntries: snapshot.size, bytes: writer.bytes });
    }
    await file.sync();
    return writer.bytes;
  } finally {
    await file.close();
  }
}

class CheckpointWriter {
  readonly #file: DiskFile;
  readonly #covered: CoveredLog;
  readonly #reader: EntryReader;
  readonly #buffer = new RecordBuffer(STEP_BYTES + STEP_BYTES / 4);
  #isDone = false;
  entries = 0;
  bytes = 0;

  constructor(file: DiskFile, covered: CoveredLog, snapshot: MemtableSnapshot) {
    this.#file = file;
    this.#covered = covered;
    this.#reader = snapshot.entries();
    const value = Buffer.from(covered.logId, "latin1");
    this.#buffer.add(covered.lsn, covered.sequence, { type: "put", key: LOG_ID_KEY, value });
  }

  /** Writes some more. @returns false once all is written */
  async step(): Promise<boolean> {
    while (!this.#isDone && this.#buffer.length < STEP_BYTES) this.#encodeSome();
    this.bytes += this.#buffer.length;
    await this.#file.append(this.#buffer.bytes);
    this.#buffer.clear();
    if (this.#isDone) return false;
    await this.#file.sync();
    return true;
  }

  #encodeSome(): void {
    const { lsn, sequence: lastSequence } = this.#covered;
    const count = this.#reader.lend(ENTRIES_AT_ONCE, (key, value, sequence) => {
      this.entries++;
      this.#buffer.add(lsn + this.entries, sequence, { type: "put", key, value });
    });
    if (count > 0) return;
    this.#buffer.add(lsn + this.entries + 1, lastSequence, { type: "noop" });
    this.#isDone = true;
  }
}
