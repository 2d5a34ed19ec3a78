import { stat } from "node:fs/promises";
import { type EngineConfig, KayaError } from "@kaya/core";
import { type Disk, readLockNote } from "@kaya/io";
import { type FoundTree, LsmTree } from "@kaya/lsm";
import { WalWriter } from "@kaya/wal";
import { Consumers } from "./changes/consumers.js";
import { Registrations } from "./changes/registrations.js";
import { tellRecovery } from "./channels.js";
import { LOCK_PATH } from "./lock-path.js";
import type { RecoveredState, RecoverStateOptions } from "./recover-state.js";
import { lookSteadily } from "./steady-look.js";
import { FoundStore } from "./store/found-store.js";
import { lsmOptions } from "./store/lsm-options.js";
import { reportOf } from "./store/tables-report.js";
import { assertFinished } from "./unfinished.js";
import type { WriteResult } from "./write.js";

type LookOptions = Pick<RecoverStateOptions, "onProgress" | "hashSecret" | "turns" | "now">;

/** What a read-only engine shows. */
export interface LookedAtState extends RecoveredState {
  /**
   * The directory as it is now, in place of this, which is let go of then.
   * @throws KayaError as `Engine.refresh`, and this stays as it is
   */
  again(): Promise<LookedAtState>;
  /** Lets go of what it holds by itself; the tables stay open, for another look. */
  letGo(): Promise<void>;
}

/**
 * What `recoverState` gives, for an engine that only looks: the tables as they are, and the log behind them in memory as a dry run reads it,
 * without the lock. Nothing in the directory changes. Another process may have it open meanwhile.
 * @throws KayaError as `recoverState`
 */
export async function lookAtState(
  config: EngineConfig,
  disk: Disk,
  options: LookOptions,
): Promise<LookedAtState> {
  const directory = { config, disk, options };
  await assertFinished(disk);
  const lookOnce = async () => {
    const found = await LsmTree.look(disk, lsmOptions(config, disk));
    try {
      return await look(directory, found);
    } catch (error) {
      await found.close();
      throw error;
    }
  };
  return tellRecovery(disk.root, () => keepLast(disk, lookOnce, (seen) => seen.closeTables()));
}

/** Looks until it is steady; lets go of what it saw before that. */
async function keepLast(
  disk: Disk,
  lookOnce: () => Promise<LookedAtState>,
  letGo: (seen: LookedAtState) => Promise<void>,
): Promise<LookedAtState> {
  let seen: LookedAtState | undefined;
  const drop = async () => {
    const last = seen;
    seen = undefined;
    if (last !== undefined) await letGo(last);
  };
  const look = async () => {
    await drop();
    seen = await lookOnce();
    return seen;
  };
  try {
    return await lookSteadily(disk, look, isDoubtful);
  } catch (error) {
    await drop();
    throw error;
  }
}

/** A log without a record behind the tables does not show whether it belongs to them: newer tables may cover more of it by now. */
function isDoubtful({ report }: RecoveredState): boolean {
  return report.recordCount === 0;
}

/**
 * An empty directory is an empty store; one that is not there is a mistake, and is not made.
 * @throws KayaError KAYA_NOT_FOUND, KAYA_IO
 */
export async function assertDirectory(dataDir: string): Promise<void> {
  const found = await stat(dataDir).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw new KayaError("KAYA_IO", `cannot look at ${dataDir}: ${cause.code ?? cause.message}`, { cause });
  });
  if (found?.isDirectory() === true) return;
  throw new KayaError(
    "KAYA_NOT_FOUND",
    `${dataDir} is no directory, and a read-only opening creates none: check the path`,
  );
}

interface LookedAtDirectory {
  readonly config: EngineConfig;
  readonly disk: Disk;
  readonly options: LookOptions;
}

/** @param found stays open in any case */
async function look(directory: LookedAtDirectory, found: FoundTree): Promise<LookedAtState> {
  const { config, disk, options } = directory;
  const { onProgress, hashSecret, turns, now } = options;
  const started = performance.now();
  const note = config.disableLocking ? undefined : await readLockNote(disk, LOCK_PATH);
  const registrations = await Registrations.read(disk);
  const memtable = hashSecret && { hashSecret };
  const store = new FoundStore(found, config, { looks: true, memtable, turns, now });
  const wal = await WalWriter.open<WriteResult>(config.wal, disk, {
    readOnly: true,
    after: store.covered,
    covers: store.covers,
    ...(note?.mark !== undefined && { closedAt: note.mark }),
    onRecord: ({ record }) => store.replay(record),
    toResult: ({ lsn, sequence, durable }) => ({ lsn, sequence, durable }),
    ...(onProgress !== undefined && { onProgress }),
  });
  const consumers = new Consumers(registrations, wal, config.changes.maxKeptLogBytes);
  wal.countKept(store.covered.lsn + 1, consumers.kept);
  const report = {
    ...wal.recovery,
    tables: reportOf(found.stats(), found.warnings),
    dryRun: true,
    durationMs: performance.now() - started,
  };
  const state: LookedAtState = {
    applied: store.look(),
    wal,
    tree: undefined,
    consumers,
    report,
    closeTables: () => found.close(),
    again: async () => {
      const next = await lookAgain(directory, found, state);
      await state.letGo();
      return next;
    },
    letGo: async () => {
      store.unlook();
      await wal.close();
    },
  };
  return state;
}

/** Tables that were looked at before stay open, and in the cache. */
function lookAgain(
  directory: LookedAtDirectory,
  found: FoundTree,
  before: RecoveredState,
): Promise<LookedAtState> {
  const lookOnce = async () => {
    await found.refresh();
    const next = await look(directory, found);
    try {
      assertGoesOn(before, next, directory.disk);
      return next;
    } catch (error) {
      await next.letGo();
      throw error;
    }
  };
  return keepLast(directory.disk, lookOnce, (seen) => seen.letGo());
}

/** What is shown moves only forward. */
function assertGoesOn(before: RecoveredState, next: RecoveredState, disk: Disk): void {
  const { lsn } = before.applied.position;
  const [id, history] = [before.wal.history?.id, next.wal.history];
  const isSameLog = id === undefined || history === undefined || history.includes({ id, lsn });
  if (next.applied.position.lsn >= lsn && isSameLog) return;
  throw new KayaError(
    "KAYA_LOG_TRUNCATED",
    `${disk.root ?? "the disk"}: what is shown, through LSN ${lsn}, is not there any more: a recovery cut it off, or another directory took the place of this one. ` +
      "It stays readable here; open the directory again to see what is there now.",
  );
}
