import { type PartialEngineConfig, resolveEngineConfig } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { recoverWal, type ScanProgress, type WalRecoveryReport } from "@kaya/wal";
import { checkRecoveryOptions, diskOf, LOCK_PATH } from "./data-directory.js";

export interface RecoveryReport extends WalRecoveryReport {
  /** Nothing was changed: the report says what a recovery would do. */
  readonly dryRun: boolean;
  readonly durationMs: number;
}

export interface RecoverEngineOptions {
  /** Reports only: takes no lock and changes nothing. Default false. */
  readonly dryRun?: boolean;
  readonly onProgress?: (progress: ScanProgress) => void;
}

/**
 * What `Engine.open` does before it replays, by itself: brings the data directory into a state that can be opened, and
 * says what was found.
 * @throws KayaError as `recoverWal`; KAYA_LOCK_CONFLICT where the directory is open and this is no dry run
 */
export async function recover(
  config?: PartialEngineConfig,
  disk?: Disk,
  options: RecoverEngineOptions = {},
): Promise<RecoveryReport> {
  const resolved = resolveEngineConfig(config);
  checkRecoveryOptions(options, ["dryRun", "onProgress"]);
  const target = diskOf(resolved, disk);
  const { dryRun = false, onProgress } = options;
  const lock = dryRun || resolved.disableLocking ? undefined : await target.lock(LOCK_PATH);
  const started = performance.now();
  let clean = false;
  try {
    const report = await recoverWal(resolved.wal, target, {
      dryRun,
      onRecord: () => undefined,
      trustPageCache: lock?.cleanStart === true,
      ...(onProgress !== undefined && { onProgress }),
    });
    clean = true;
    return { ...report, dryRun, durationMs: performance.now() - started };
  } finally {
    await lock?.release({ clean });
  }
}
