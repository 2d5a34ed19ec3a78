import type { EngineConfig } from "@kaya/core";
import type { Disk, DiskLock } from "@kaya/io";
import { LsmTree } from "@kaya/lsm";
import { type CommitTo, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "./apply.js";
import { Consumers } from "./changes/consumers.js";
import { Registrations } from "./changes/registrations.js";
import { tellRecovery } from "./channels.js";
import type { ClockSource, Now } from "./clock.js";
import { trustOf } from "./data-directory.js";
import type { HashSecret } from "./memtable/hash.js";
import type { RecoveryReport } from "./recover.js";
import type { RecoveryProgress } from "./recovery-progress.js";
import { FoundStore } from "./store/found-store.js";
import { lsmOptions } from "./store/lsm-options.js";
import { reportOf } from "./store/tables-report.js";
import type { Turns } from "./turns.js";
import type { WriteResult } from "./write.js";

/** Progress of an opening, and settings that make tests repeatable. */
export interface OpenEngineOptions {
  /** Called about once a mebibyte of the log that is read. */
  readonly onProgress?: (progress: RecoveryProgress) => void;
  /** Where the ids of the log come from, for tests that must run the same way each time. Default: random. */
  readonly newLogId?: () => string;
  /**
   * The secret of the hash that finds keys in memory, for tests that must run the same way each time. Default:
   * random.
   */
  readonly hashSecret?: HashSecret;
  /** Gives the 16 bytes that seed a table's filter, for tests that must run the same way each time. Default: random. */
  readonly randomSeed?: () => Uint8Array;
  /** Into what slices long work is cut, for tests. Default: of 1,024 keys, with a turn of the event loop in between. */
  readonly turns?: Turns;
  /** The bytes from which on a value is written from memory of its own, which the memtable then keeps, for tests. Default 16 KiB. */
  readonly largeValueBytes?: number;
  /** Where the time comes from that values expire by, for tests: without one an engine takes the time of the system. */
  readonly clock?: ClockSource;
}

/** With the time that readers see. */
export type RecoverStateOptions = Omit<OpenEngineOptions, "clock"> & {
  readonly now?: Now;
  /** See `WalWriterOptions.commitTo`. */
  readonly commitTo?: CommitTo;
};

export interface RecoveredState {
  readonly applied: AppliedLog;
  /** It keeps the log and `applied` in step. */
  readonly wal: WalWriter<WriteResult>;
  /** Undefined where it only looks. */
  readonly tree: LsmTree | undefined;
  readonly consumers: Consumers;
  readonly report: RecoveryReport;
  /** Lets go of what was opened beside the log. */
  closeTables(): Promise<void>;
}

/** Opens the tables, replays the log behind them, and leaves a writer that goes on there. */
export async function recoverState(
  config: EngineConfig,
  disk: Disk,
  lock: DiskLock | undefined,
  options: RecoverStateOptions,
): Promise<RecoveredState> {
  return tellRecovery(disk.root, () => load(config, disk, lock, options));
}

async function load(
  config: EngineConfig,
  disk: Disk,
  lock: DiskLock | undefined,
  {
    onProgress,
    newLogId,
    hashSecret,
    randomSeed,
    turns,
    largeValueBytes,
    now,
    commitTo,
  }: RecoverStateOptions,
): Promise<RecoveredState> {
  const started = performance.now();
  const registrations = await Registrations.read(disk);
  const trustPageCache = trustOf(lock);
  let wal: WalWriter<WriteResult> | undefined;
  let seen = 0;
  const isBusy = () => {
    const before = seen;
    seen = wal?.nextLsn ?? 0;
    return seen !== before;
  };
  const found = await LsmTree.look(
    disk,
    lsmOptions(config, disk, { trustPageCache: trustPageCache !== false, randomSeed, isBusy, now }),
  );
  const store = new FoundStore(found, config, { memtable: hashSecret && { hashSecret }, turns, now });
  const { applied } = store;
  let tree: LsmTree | undefined;
  try {
    wal = await WalWriter.open<WriteResult>(config.wal, disk, {
      after: store.covered,
      onRecord: ({ record }) => store.replay(record),
      onCommit: (record) => applied.commit(record),
      onCommitSync: (record) => applied.commitNow(record),
      toResult: ({ lsn, sequence, durable }) => ({ lsn, sequence, durable }),
      trustPageCache,
      ...(lock?.lastMark !== undefined && { closedAt: lock.lastMark }),
      covers: store.covers,
      identified: true,
      ...(newLogId !== undefined && { newLogId }),
      ...(onProgress !== undefined && { onProgress }),
      ...(largeValueBytes !== undefined && { largeValueBytes }),
      ...(commitTo !== undefined && { commitTo }),
    });
    tree = await store.open(wal.history?.id ?? found.logIdentity);
    const consumers = new Consumers(registrations, wal, config.changes.maxKeptLogBytes);
    await registrations.makeDurable();
    // L3: what a crash kept the last flush from dropping. On a full disk what the manifest says may not be durable yet.
    if (tree.isClean) await wal.dropSegmentsBefore(tree.covered.lsn + 1, consumers.kept);
    const opened = tree;
    return {
      applied,
      wal,
      tree,
      consumers,
      report: {
        ...wal.recovery,
        tables: reportOf(tree.stats(), tree.warnings),
        dryRun: false,
        durationMs: performance.now() - started,
      },
      closeTables: () => opened.close(),
    };
  } catch (error) {
    await wal?.close().catch(() => undefined); // the first error counts
    await (tree?.close() ?? store.close());
    throw error;
  }
}
