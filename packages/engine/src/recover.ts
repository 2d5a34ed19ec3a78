import { type EngineConfig, type PartialEngineConfig, resolveEngineConfig } from "@kaya/core";
import { type Disk, type DiskLock, readLockNote } from "@kaya/io";
import { LsmTree } from "@kaya/lsm";
import { recoverWal, type WalRecoveryReport, type WalWriter } from "@kaya/wal";
import { Registrations } from "./changes/registrations.js";
import { diskOf, letGo, readRecoveryOptions, takeDirectory } from "./data-directory.js";
import { LOCK_PATH } from "./lock-path.js";
import { recoverState } from "./recover-state.js";
import type { RecoveryProgress } from "./recovery-progress.js";
import { lookSteadily } from "./steady-look.js";
import { FoundStore } from "./store/found-store.js";
import { lsmOptions } from "./store/lsm-options.js";
import { reportOf, type TablesReport } from "./store/tables-report.js";
import { assertFinished } from "./unfinished.js";

/** What a recovery found in a data directory, and what it changed. */
export interface RecoveryReport extends WalRecoveryReport {
  /** The tables that were found. The report's records are those behind the tables. */
  readonly tables: TablesReport;
  /** True if nothing was changed: the report says what a recovery would do. */
  readonly dryRun: boolean;
  /** How long the recovery took, in milliseconds. */
  readonly durationMs: number;
}

/** Whether a recovery changes anything, and who is told how far it is. */
export interface RecoverEngineOptions {
  /** Reports only: takes no lock and changes nothing. Default false. */
  readonly dryRun?: boolean;
  /** Called about once for each mebibyte of the log that is read. */
  readonly onProgress?: (progress: RecoveryProgress) => void;
}

/**
 * Recovers a data directory without opening an engine: cuts a torn end of the log and reports what was found.
 *
 * @param config all optional, as for `Engine.open`
 * @param disk used instead of the real directory `config.dataDir`
 * @throws KayaError KAYA_LOCK_CONFLICT if the directory is open and this is no dry run; KAYA_CORRUPTION for
 *   damage that no crash explains; KAYA_UNSUPPORTED_VERSION, KAYA_INVALID_ARGUMENT, KAYA_DISK_FULL, KAYA_IO,
 *   KAYA_FSYNC_FAILED
 */
export async function recover(
  config?: PartialEngineConfig,
  disk?: Disk,
  given?: RecoverEngineOptions,
): Promise<RecoveryReport> {
  const resolved = resolveEngineConfig(config);
  const options = readRecoveryOptions(given, ["dryRun", "onProgress"]);
  const target = diskOf(resolved, disk);
  if (options.dryRun === true) {
    await assertFinished(target);
    // A log without a record behind the tables does not show whether it belongs to them.
    const isDoubtful = ({ recordCount }: RecoveryReport) => recordCount === 0;
    return lookSteadily(target, () => dryRun(resolved, target, options), isDoubtful);
  }
  let lock: DiskLock | undefined;
  let wal: WalWriter<unknown> | undefined;
  try {
    lock = await takeDirectory(resolved, target);
    const state = await recoverState(resolved, target, lock, options);
    wal = state.wal;
    await state.closeTables();
    // As a writer would that appends nothing: so that the log is left as clean as the next one wants it.
    await wal.close();
    return state.report;
  } finally {
    await letGo({ lock, own: disk === undefined ? target : undefined }, wal);
  }
}

async function dryRun(
  config: EngineConfig,
  disk: Disk,
  { onProgress }: RecoverEngineOptions,
): Promise<RecoveryReport> {
  const started = performance.now();
  const note = config.disableLocking ? undefined : await readLockNote(disk, LOCK_PATH);
  await Registrations.read(disk); // as opening would: it refuses where that is damaged
  const found = await LsmTree.look(disk, lsmOptions(config, disk));
  try {
    const store = new FoundStore(found, config, { looks: true });
    const report = await recoverWal(config.wal, disk, {
      dryRun: true,
      after: store.covered,
      covers: store.covers,
      onRecord: () => undefined,
      ...(note?.mark !== undefined && { closedAt: note.mark }),
      ...(onProgress !== undefined && { onProgress }),
    });
    return {
      ...report,
      tables: reportOf(found.stats(), found.warnings),
      dryRun: true,
      durationMs: performance.now() - started,
    };
  } finally {
    await found.close();
  }
}
