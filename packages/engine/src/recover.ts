import { type EngineConfig, type PartialEngineConfig, resolveEngineConfig } from "@kaya/core";
import { type Disk, type DiskLock, readLockNote } from "@kaya/io";
import { recoverWal, type WalRecoveryReport, type WalWriter } from "@kaya/wal";
import { Registrations } from "./changes/registrations.js";
import { checkpointsToRead } from "./checkpoint/checkpoint-files.js";
import type { WrittenCheckpoint } from "./checkpoint/checkpointer.js";
import { coversOf, recoverCheckpoint } from "./checkpoint/recover-checkpoint.js";
import { diskOf, letGo, readRecoveryOptions, takeDirectory } from "./data-directory.js";
import { LOCK_PATH } from "./lock-path.js";
import { recoverState } from "./recover-state.js";
import { ProgressTeller, type RecoveryProgress } from "./recovery-progress.js";
import { lookSteadily } from "./steady-look.js";

export interface RecoveryReport extends WalRecoveryReport {
  /** Where the log goes on from. The report's records are those behind it. */
  readonly checkpoint?: WrittenCheckpoint;
  /** Nothing was changed: the report says what a recovery would do. */
  readonly dryRun: boolean;
  readonly durationMs: number;
}

export interface RecoverEngineOptions {
  /** Reports only: takes no lock and changes nothing. Default false. */
  readonly dryRun?: boolean;
  readonly onProgress?: (progress: RecoveryProgress) => void;
}

/**
 * What `Engine.open` does before it replays, by itself: brings the data directory into a state that can be opened, and
 * says what was found.
 * @throws KayaError as `recoverWal`; KAYA_LOCK_CONFLICT where the directory is open and this is no dry run
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
    // Without a record behind the checkpoint nothing says that the log is still the checkpoint's.
    const isDoubtful = ({ recordCount }: RecoveryReport) => recordCount === 0;
    return lookSteadily(target, () => dryRun(resolved, target, options), isDoubtful);
  }
  let lock: DiskLock | undefined;
  let wal: WalWriter<unknown> | undefined;
  try {
    lock = await takeDirectory(resolved, target);
    const state = await recoverState(resolved, target, lock, options, "report");
    wal = state.wal;
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
  const checkpoints = await checkpointsToRead(disk);
  const { newest } = checkpoints;
  await Registrations.read(disk); // as opening would: it refuses where that is damaged
  const progress = onProgress && (await ProgressTeller.of(disk, newest, onProgress));
  const { checkpoint, applied, cover } = await recoverCheckpoint(config, disk, newest, progress, "report");
  const report = await recoverWal(config.wal, disk, {
    dryRun: true,
    after: applied.position,
    covers: await coversOf(disk, checkpoints, cover, config.wal.maxRecordBytes),
    onRecord: () => undefined,
    ...(note?.mark !== undefined && { closedAt: note.mark }),
    ...(progress !== undefined && { onProgress: (of) => progress.ofLog(of) }),
  });
  return {
    ...report,
    ...(checkpoint !== undefined && { checkpoint }),
    dryRun: true,
    durationMs: performance.now() - started,
  };
}
