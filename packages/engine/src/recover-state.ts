import type { EngineConfig } from "@kaya/core";
import type { Disk, DiskLock } from "@kaya/io";
import { WalWriter } from "@kaya/wal";
import type { AppliedLog } from "./apply.js";
import { Consumers } from "./changes/consumers.js";
import { Registrations } from "./changes/registrations.js";
import { tellRecovery } from "./channels.js";
import { checkpointsToRead } from "./checkpoint/checkpoint-files.js";
import type { WrittenCheckpoint } from "./checkpoint/checkpointer.js";
import type { Clock } from "./checkpoint/pace.js";
import { coversOf, finishCheckpoint, recoverCheckpoint } from "./checkpoint/recover-checkpoint.js";
import { trustOf } from "./data-directory.js";
import type { HashSecret } from "./memtable/hash.js";
import { Memtable } from "./memtable/memtable.js";
import type { RecoveryReport } from "./recover.js";
import { ProgressTeller, type RecoveryProgress } from "./recovery-progress.js";
import type { Turns } from "./turns.js";
import type { WriteResult } from "./write.js";

export interface OpenEngineOptions {
  /** Called about once a mebibyte of what is read: the checkpoint, then the log. */
  readonly onProgress?: (progress: RecoveryProgress) => void;
  /** What background work paces itself by: for a simulation, which must repeat exactly. Default: the system's. */
  readonly clock?: Clock;
  /** Where the ids of the log come from, for tests that must run the same way each time. Default: random. */
  readonly newLogId?: () => string;
  /** Of the hash that finds keys in memory, for tests that must run the same way each time. Default: random. */
  readonly hashSecret?: HashSecret;
  /** Into what slices long work is cut, for tests. Default: of 1,024 keys, with a turn of the event loop in between. */
  readonly turns?: Turns;
}

type LoadOptions = Pick<OpenEngineOptions, "onProgress" | "newLogId" | "hashSecret" | "turns">;

export interface RecoveredState {
  readonly applied: AppliedLog;
  /** It keeps the log and `applied` in step. */
  readonly wal: WalWriter<WriteResult>;
  readonly checkpoint: WrittenCheckpoint | undefined;
  readonly consumers: Consumers;
  readonly report: RecoveryReport;
}

/**
 * Loads the newest checkpoint, replays the log behind it, and leaves a writer that goes on there.
 * @param into `report`: everything is read and checked, and nothing of it kept
 */
export async function recoverState(
  config: EngineConfig,
  disk: Disk,
  lock: DiskLock | undefined,
  options: LoadOptions,
  into: "memory" | "report" = "memory",
): Promise<RecoveredState> {
  return tellRecovery(disk.root, () => load(config, disk, lock, options, into));
}

async function load(
  config: EngineConfig,
  disk: Disk,
  lock: DiskLock | undefined,
  { onProgress, newLogId, hashSecret, turns }: LoadOptions,
  into: "memory" | "report",
): Promise<RecoveredState> {
  const started = performance.now();
  const checkpoints = await checkpointsToRead(disk);
  const { newest } = checkpoints;
  const registrations = await Registrations.read(disk);
  const memtable = new Memtable(hashSecret && { hashSecret });
  const progress = onProgress && (await ProgressTeller.of(disk, newest, onProgress));
  const { checkpoint, applied, cover } = await recoverCheckpoint(config, disk, newest, progress, into, {
    memtable,
    turns,
  });
  const covers = await coversOf(disk, checkpoints, cover, config.wal.maxRecordBytes);
  const wal = await WalWriter.open<WriteResult>(config.wal, disk, {
    after: applied.position,
    onRecord: into === "memory" ? ({ record }) => applied.replay(record) : () => undefined,
    onCommit: (record) => applied.commit(record),
    toResult: ({ lsn, sequence, durable }) => ({ lsn, sequence, durable }),
    trustPageCache: trustOf(lock),
    ...(lock?.lastMark !== undefined && { closedAt: lock.lastMark }),
    covers,
    identified: true,
    ...(newLogId !== undefined && { newLogId }),
    ...(progress !== undefined && { onProgress: (of) => progress.ofLog(of) }),
  });
  const consumers = new Consumers(registrations, wal, config.changes.maxKeptLogBytes);
  try {
    await registrations.makeDurable();
    await finishCheckpoint(disk, wal, checkpoints, consumers.kept);
  } catch (error) {
    await wal.close();
    throw error;
  }
  const report = {
    ...wal.recovery,
    ...(checkpoint !== undefined && { checkpoint }),
    dryRun: false,
    durationMs: performance.now() - started,
  };
  return { applied, wal, checkpoint, consumers, report };
}
