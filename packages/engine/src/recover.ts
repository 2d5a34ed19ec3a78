import { type EngineConfig, type PartialEngineConfig, resolveEngineConfig } from "@kaya/core";
import type { Disk } from "@kaya/io";
import {
  recoverWal,
  type ScanProgress,
  type WalRecoveryReport,
  WalWriter,
  type WalWriterOptions,
} from "@kaya/wal";
import { checkRecoveryOptions, diskOf, LOCK_PATH, letGo, trustOf } from "./data-directory.js";

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
  const started = performance.now();
  const scan = { onRecord: () => undefined, ...(onProgress !== undefined && { onProgress }) };
  const report = dryRun
    ? await recoverWal(resolved.wal, target, { ...scan, dryRun })
    : await recoverLocked(resolved, target, scan);
  return { ...report, dryRun, durationMs: performance.now() - started };
}

/** As a writer would that appends nothing: so that the log is left as clean as the next one wants it. */
async function recoverLocked(
  config: EngineConfig,
  disk: Disk,
  scan: Pick<WalWriterOptions, "onRecord" | "onProgress">,
): Promise<WalRecoveryReport> {
  const lock = config.disableLocking ? undefined : await disk.lock(LOCK_PATH);
  let wal: WalWriter | undefined;
  try {
    wal = await WalWriter.open(config.wal, disk, { ...scan, trustPageCache: trustOf(lock) });
    await wal.close();
    return wal.recovery;
  } finally {
    await letGo(lock, wal);
  }
}
