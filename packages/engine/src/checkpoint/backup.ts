import { checkKeys, describe, KayaError, type Lsn, type SequenceNumber } from "@kaya/core";
import { type Disk, NodeDisk } from "@kaya/io";
import type { AppliedLog } from "../apply.js";
import { invalid } from "../input.js";
import { type CheckpointFile, removeCheckpoint } from "./checkpoint-files.js";
import { loadCheckpoint } from "./load-checkpoint.js";
import { type CheckpointProgress, writeCheckpoint } from "./write-checkpoint.js";

export interface BackupOptions {
  /** Ends the backup, which then rejects with the signal's reason and leaves nothing that could be opened. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CheckpointProgress) => void;
}

export interface BackupResult {
  /** The last record that it holds, and its last operation. */
  readonly lsn: Lsn;
  readonly sequence: SequenceNumber;
  readonly entries: number;
  readonly bytes: number;
  readonly durationMs: number;
}

/**
 * Writes the state as of now into an empty directory, reads it back, and only then calls it done. What is there then is a data directory by
 * itself: one with a checkpoint and no log.
 * @param target a directory, absent or empty, or a disk
 * @param assertOpen called between steps
 */
export async function writeBackup(
  applied: AppliedLog,
  target: string | Disk,
  options: BackupOptions,
  maxRecordBytes: number,
  assertOpen: () => void,
): Promise<BackupResult> {
  const started = performance.now();
  const { signal, onProgress } = checkOptions(options);
  signal?.throwIfAborted();
  const covered = applied.position;
  const snapshot = applied.memtable.snapshot();
  try {
    const disk = await emptyDisk(target);
    const check = () => {
      assertOpen();
      signal?.throwIfAborted();
    };
    const file = await writeCheckpoint(disk, covered, snapshot, {
      onStep: (progress) => {
        check();
        onProgress?.(progress);
      },
    });
    await verify(disk, file, snapshot.size, maxRecordBytes, check);
    return {
      ...covered,
      entries: snapshot.size,
      bytes: file.bytes,
      durationMs: performance.now() - started,
    };
  } finally {
    snapshot.release();
  }
}

/** A backup that cannot be read back, or is broken off, is taken away: nobody is to open it one day. */
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
      `the backup ${file.path} has ${entries} entries of ${expected}. Please report this.`,
    );
  } catch (error) {
    await removeCheckpoint(disk, file);
    throw error;
  }
}

async function emptyDisk(target: string | Disk): Promise<Disk> {
  if (typeof target === "string" && target.length === 0) throw invalid("a backup needs a directory");
  const disk = typeof target === "string" ? new NodeDisk(target) : target;
  if (typeof disk?.list !== "function")
    throw invalid(`a backup goes into a directory, not ${describe(target)}`);
  const found: string[] = [];
  for (const entry of await disk.list("")) {
    // What a backup that was broken off leaves behind.
    const isEmpty = entry.isDirectory && (await disk.list(entry.path)).length === 0;
    if (!isEmpty) found.push(entry.path);
  }
  if (found.length === 0) return disk;
  throw invalid(
    `a backup goes into an empty directory: ${typeof target === "string" ? target : "the disk"} holds ${found[0]}`,
  );
}

function checkOptions(options: BackupOptions): BackupOptions {
  checkKeys(options, ["signal", "onProgress"], "the options of a backup");
  const { signal, onProgress } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid(`signal must be an AbortSignal, not ${describe(signal)}`);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw invalid(`onProgress must be a function, not ${describe(onProgress)}`);
  }
  return options;
}
