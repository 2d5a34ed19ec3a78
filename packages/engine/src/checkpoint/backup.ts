import { checkCallback, readOptions } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { AppliedLog } from "../apply.js";
import { assertOutside } from "../outside.js";
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
 * @param source where the data is
 * @param target a directory, absent or empty, or a disk
 * @param assertOpen called between steps
 */
export async function writeBackup(
  applied: AppliedLog,
  source: Disk,
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
  const snapshot = applied.snapshot();
  try {
    await assertOutside("a backup", target, source);
    const disk = await emptyDirectory(target, "a backup");
    const check = () => {
      assertOpen();
      throwIfAborted(signal);
    };
    try {
      const written = await writeDirectory(disk, covered, snapshot, { maxRecordBytes, check, onProgress });
      return { ...written, durationMs: performance.now() - started };
    } finally {
      if (typeof target === "string") await disk.close?.();
    }
  } finally {
    snapshot.release();
  }
}
