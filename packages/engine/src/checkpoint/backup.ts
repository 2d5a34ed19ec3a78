import { checkKeys, type EngineConfig } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { NewLogId } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import { checkCallback, checkSignal } from "../input.js";
import { type WrittenDirectory, writeDirectory } from "./new-directory.js";
import { TargetDirectory } from "./target-directory.js";
import type { CheckpointProgress } from "./write-checkpoint.js";

export interface BackupOptions {
  /** Ends the backup, which then rejects with the signal's reason and leaves nothing that could be opened. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CheckpointProgress) => void;
}

export interface BackupResult extends WrittenDirectory {
  readonly durationMs: number;
}

/** What a backup needs of its engine. */
interface BackedUpEngine {
  readonly applied: AppliedLog;
  readonly config: EngineConfig;
  /** Where ids of logs come from. Default: random. */
  readonly newLogId: NewLogId | undefined;
  /** Called between steps. */
  readonly assertOpen: () => void;
}

/**
 * Writes the state as of now into an empty directory.
 * @param target a directory, absent or empty, or a disk
 */
export async function writeBackup(
  { applied, config, newLogId, assertOpen }: BackedUpEngine,
  target: string | Disk,
  options: BackupOptions,
): Promise<BackupResult> {
  const started = performance.now();
  checkKeys(options, ["signal", "onProgress"], "the options of a backup");
  const { signal, onProgress } = options;
  checkSignal(signal);
  checkCallback(onProgress, "onProgress");
  signal?.throwIfAborted();
  const covered = applied.position;
  const snapshot = applied.memtable.snapshot();
  try {
    const { maxRecordBytes } = config.wal;
    const check = () => {
      assertOpen();
      signal?.throwIfAborted();
    };
    const { disableLocking } = config;
    const directory = await TargetDirectory.find(target, { what: "a backup", disableLocking });
    const written = await directory.fill((disk) =>
      writeDirectory(disk, covered, snapshot, { maxRecordBytes, newLogId, check, onProgress }),
    );
    return { ...written, durationMs: performance.now() - started };
  } finally {
    snapshot.release();
  }
}
