import { KayaError, type LogPosition, type Lsn, type SequenceNumber } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { checkedLogId, type NewLogId, randomLogId } from "@kaya/wal";
import type { MemtableSnapshot } from "../memtable/memtable-snapshot.js";
import { type CheckpointFile, removeCheckpoint } from "./checkpoint-files.js";
import { loadCheckpoint } from "./load-checkpoint.js";
import { type CheckpointProgress, writeCheckpoint } from "./write-checkpoint.js";

/** What a new data directory holds. */
export interface WrittenDirectory {
  /** The last record that it holds, and its last operation. */
  readonly lsn: Lsn;
  readonly sequence: SequenceNumber;
  readonly entries: number;
  readonly bytes: number;
}

export interface NewDirectoryOptions {
  readonly maxRecordBytes: number;
  /** Where ids of logs come from. Default: random. */
  readonly newLogId?: NewLogId | undefined;
  /** Called between steps. It may throw, and so end the writing. */
  readonly check: () => void;
  readonly onProgress?: ((progress: CheckpointProgress) => void) | undefined;
}

/**
 * Writes a snapshot into an empty directory, reads it back, and only then calls it done. What is there then is a data directory by
 * itself: one with a checkpoint and no log. The checkpoint has an id of its own, for it is of no other directory: beside the log that it was
 * made of it is refused as beside any other. Where anything fails, nothing is there that could be opened.
 * @param disk empty and locked, as `TargetDirectory` lends it
 * @param covered the last record that the snapshot shows
 */
export async function writeDirectory(
  disk: Disk,
  covered: LogPosition,
  snapshot: MemtableSnapshot,
  { maxRecordBytes, newLogId = randomLogId, check, onProgress }: NewDirectoryOptions,
): Promise<WrittenDirectory> {
  check();
  const logId = checkedLogId(newLogId);
  const file = await writeCheckpoint(disk, { ...covered, logId }, snapshot, {
    onStep: (progress) => {
      check();
      onProgress?.(progress);
    },
  });
  await verify(disk, file, snapshot.size, maxRecordBytes, check);
  return { ...covered, entries: snapshot.size, bytes: file.bytes };
}

/** What cannot be read back, or is broken off, is taken away: nobody is to open it one day. */
async function verify(
  disk: Disk,
  file: CheckpointFile,
  expected: number,
  maxRecordBytes: number,
  check: () => void,
): Promise<void> {
  try {
    const { entries } = await loadCheckpoint(disk, file, {
      maxRecordBytes,
      onEntry: () => undefined,
      onProgress: check,
    });
    if (entries === expected) return;
    throw new KayaError(
      "KAYA_INVARIANT_VIOLATION",
      `${file.path} was written with ${expected} entries and has ${entries}. Please report this.`,
    );
  } catch (error) {
    await removeCheckpoint(disk, file);
    throw error;
  }
}
