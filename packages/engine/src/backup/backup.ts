import {
  checkCallback,
  type EngineConfig,
  type LogPosition,
  type Lsn,
  readOptions,
  type SequenceNumber,
  throwIfAborted,
} from "@kaya/core";
import type { Disk } from "@kaya/io";
import { TreeCopy, type TreeCopyProgress, type TreeCopyResult } from "@kaya/lsm";
import { checkedLogId, type LogHistory, type NewLogId, randomLogId } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import { assertOutside } from "../outside.js";
import { checkSignal } from "../signal.js";
import { memorySource } from "../store/flush-source.js";
import { lsmOptions } from "../store/lsm-options.js";
import type { StoreSnapshot } from "../store/store-snapshot.js";
import { formatBackupIdentity, StoreIdentity } from "./backup-identity.js";
import { TargetDirectory } from "./target-directory.js";

/** How many bytes of a backup, or of a recovered directory, are written and read back. */
export type BackupProgress = TreeCopyProgress;

/** A signal that ends a backup, and a callback for its progress. */
export interface BackupOptions {
  /** Ends the backup: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called as the backup goes on. */
  readonly onProgress?: (progress: BackupProgress) => void;
}

/** What a written directory holds. */
export interface WrittenDirectory {
  /** Log sequence number of the last record that it holds. */
  readonly lsn: Lsn;
  /** The sequence of the last operation that it holds. */
  readonly sequence: SequenceNumber;
  /** How many tables it has. */
  readonly tables: number;
  /** Bytes of all its tables. */
  readonly bytes: number;
}

/** What a backup holds, and how much of it was copied. */
export interface BackupResult extends WrittenDirectory {
  /** How many tables were written. The others were there from an earlier backup. */
  readonly copiedTables: number;
  /** Bytes of the tables that were written. */
  readonly copiedBytes: number;
  /** How long the backup took, in milliseconds. */
  readonly durationMs: number;
}

/** What a backup needs of its engine. */
interface BackedUpEngine {
  readonly applied: AppliedLog;
  /** Of the log. */
  readonly history: LogHistory | undefined;
  /** Where the data is. */
  readonly disk: Disk;
  readonly config: EngineConfig;
  /** Where ids of logs come from. Default: random. */
  readonly newLogId: NewLogId | undefined;
  readonly randomSeed: (() => Uint8Array) | undefined;
  /** Called between steps. */
  readonly assertOpen: () => void;
}

/**
 * Writes the state as of now into a directory.
 * @param target a directory that is absent, empty, or has an earlier backup; or a disk
 */
export async function writeBackup(
  engine: BackedUpEngine,
  target: string | Disk,
  options: BackupOptions | undefined,
): Promise<BackupResult> {
  const started = performance.now();
  const { signal, onProgress } = readOptions(options, ["signal", "onProgress"], "the options of a backup");
  checkSignal(signal);
  checkCallback(onProgress, "onProgress");
  throwIfAborted(signal);
  const check = () => {
    engine.assertOpen();
    throwIfAborted(signal);
  };
  const covered = engine.applied.position;
  const snapshot = engine.applied.snapshot();
  try {
    const store = new StoreIdentity(engine.history, snapshot.tables.state.logIdentity);
    await assertOutside("a backup", target, engine.disk);
    const { disableLocking } = engine.config;
    const directory = await TargetDirectory.find(target, {
      what: "a backup",
      disableLocking,
      backupOf: store,
    });
    const written = await fill(engine, directory, { snapshot, covered, store, check, onProgress });
    return { ...flat(written), durationMs: performance.now() - started };
  } finally {
    snapshot.release();
  }
}

interface BackedUp {
  readonly snapshot: StoreSnapshot;
  readonly covered: LogPosition;
  readonly store: StoreIdentity;
  readonly check: () => void;
  readonly onProgress: ((progress: BackupProgress) => void) | undefined;
}

async function fill(
  { applied, config, newLogId = randomLogId, randomSeed }: BackedUpEngine,
  directory: TargetDirectory,
  { snapshot, covered, store, check, onProgress }: BackedUp,
): Promise<TreeCopyResult> {
  let isWhole = false;
  const from = snapshot.tables.another();
  try {
    const disk = await directory.take();
    check();
    const { now } = applied.store;
    const tables = lsmOptions(config, disk, { randomSeed, now });
    const copy = await TreeCopy.begin(disk, { from, tables, check, ...(onProgress && { onProgress }) });
    try {
      await copy.add(memorySource(snapshot), covered);
      snapshot.release(); // what it holds in memory is written
      const identity = formatBackupIdentity({ id: checkedLogId(newLogId), from: store.id });
      const written = await copy.finish(identity);
      isWhole = true;
      return written;
    } catch (error) {
      await copy.abandon();
      throw error;
    }
  } finally {
    from.release();
    if (isWhole) await directory.end(true);
    else await directory.undo();
  }
}

function flat({ covered, ...written }: TreeCopyResult): Omit<BackupResult, "durationMs"> {
  return { ...covered, ...written };
}
