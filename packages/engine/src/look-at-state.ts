import { stat } from "node:fs/promises";
import { type EngineConfig, KayaError } from "@kaya/core";
import { type Disk, readLockNote } from "@kaya/io";
import { LsmTree } from "@kaya/lsm";
import { WalWriter } from "@kaya/wal";
import { Consumers } from "./changes/consumers.js";
import { Registrations } from "./changes/registrations.js";
import { tellRecovery } from "./channels.js";
import { LOCK_PATH } from "./lock-path.js";
import type { OpenEngineOptions, RecoveredState } from "./recover-state.js";
import { lookSteadily } from "./steady-look.js";
import { FoundStore } from "./store/found-store.js";
import { lsmOptions } from "./store/lsm-options.js";
import { reportOf } from "./store/tables-report.js";
import type { WriteResult } from "./write.js";

type LookOptions = Pick<OpenEngineOptions, "onProgress" | "hashSecret" | "turns">;

/**
 * What `recoverState` gives, for an engine that only looks: the tables as they are, and the log behind them in memory as a dry run reads it,
 * without the lock. Nothing in the directory changes. Another process may have it open meanwhile.
 * @throws KayaError as `recoverState`
 */
export async function lookAtState(
  config: EngineConfig,
  disk: Disk,
  options: LookOptions,
): Promise<RecoveredState> {
  // A log without a record behind the tables does not show whether it belongs to them: newer tables may cover more of it by now.
  const isDoubtful = ({ report }: RecoveredState) => report.recordCount === 0;
  return tellRecovery(disk.root, () => lookSteadily(disk, () => look(config, disk, options), isDoubtful));
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
    `there is no directory ${dataDir}, and a read-only opening makes none`,
  );
}

async function look(
  config: EngineConfig,
  disk: Disk,
  { onProgress, hashSecret, turns }: LookOptions,
): Promise<RecoveredState> {
  const started = performance.now();
  const note = config.disableLocking ? undefined : await readLockNote(disk, LOCK_PATH);
  const registrations = await Registrations.read(disk);
  const found = await LsmTree.look(disk, lsmOptions(config, disk));
  try {
    const store = new FoundStore(found, config, {
      looks: true,
      memtable: hashSecret && { hashSecret },
      turns,
    });
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
    return {
      applied: store.look(),
      wal,
      tree: undefined,
      consumers,
      report,
      closeTables: () => store.close(),
    };
  } catch (error) {
    await found.close();
    throw error;
  }
}
