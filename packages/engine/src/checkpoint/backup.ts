import { checkCallback, readOptions } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { AppliedLog } from "../apply.js";
import { checkSignal, throwIfAborted } from "../signal.js";
import { emptyDirectory, type WrittenDirectory, writeDirectory } from "./new-directory.js";
import type { CheckpointProgress } from "./write-checkpoint.js";

export interface BackupOptions {
  /** Ends the backup, which then rejects with the signal's reason and leaves nothing that could be opened. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CheckpointProgress) => void;
}

export interface BackupResult extends WrittenDirectory {
  readonly durationMs: number;
}

/**
 * Writes the state as of now into an empty directory.
 * @param target a directory, absent or empty, or a disk
 * @param assertOpen called between steps
 */
export async function writeBackup(
  applied: AppliedLog,
  target: string | Disk,
  options: BackupOptions | undefined,
  maxRecordBytes: number,
  assertOpen: () => void,
): Promise<BackupResult> {
  const started = performance.now();
  const { signal, onProgress } = readOptions(options, ["signal", "onProgress"], "the options of a backup");
  checkSignal(signal);
  checkCallback(onProgress, "onProgress");
  throwIfAborted(signal);
  const covered = applied.position;
  const snapshot = applied.memtable.snapshot();
  try {
    const disk = await emptyDirectory(target, "a backup");
    const check = () => {
      assertOpen();
      throwIfAborted(signal);
    };
    const written = await writeDirectory(disk, covered, snapshot, { maxRecordBytes, check, onProgress });
    return { ...written, durationMs: performance.now() - started };
  } finally {
    snapshot.release();
  }
}
