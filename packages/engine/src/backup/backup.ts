import { checkCallback, type EngineConfig, readOptions } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { NewLogId } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import { assertOutside } from "../outside.js";
import { checkSignal, throwIfAborted } from "../signal.js";
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
  /** Where the data is. */
  readonly disk: Disk;
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
  { applied, disk, config, newLogId, assertOpen }: BackedUpEngine,
  target: string | Disk,
  options: BackupOptions | undefined,
): Promise<BackupResult> {
  const started = performance.now();
  const { signal, onProgress } = readOptions(options, ["signal", "onProgress"], "the options of a backup");
  checkSignal(signal);
  checkCallback(onProgress, "onProgress");
  throwIfAborted(signal);
  const covered = applied.position;
  const snapshot = applied.snapshot();
  try {
    await assertOutside("a backup", target, disk);
    const { maxRecordBytes } = config.wal;
    const check = () => {
      assertOpen();
      throwIfAborted(signal);
    };
    const { disableLocking } = config;
    const directory = await TargetDirectory.find(target, { what: "a backup", disableLocking });
    const written = await directory.fill((empty) =>
      writeDirectory(empty, covered, snapshot, { maxRecordBytes, newLogId, check, onProgress }),
    );
    return { ...written, durationMs: performance.now() - started };
  } finally {
    snapshot.release();
  }
}
