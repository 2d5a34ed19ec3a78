import { stat } from "node:fs/promises";
import { type EngineConfig, KayaError } from "@kaya/core";
import { type Disk, readLockNote } from "@kaya/io";
import { WalWriter } from "@kaya/wal";
import { Consumers } from "./changes/consumers.js";
import { Registrations } from "./changes/registrations.js";
import { tellRecovery } from "./channels.js";
import { checkpointsToRead } from "./checkpoint/checkpoint-files.js";
import { coversOf, recoverCheckpoint } from "./checkpoint/recover-checkpoint.js";
import { LOCK_PATH } from "./lock-path.js";
import { Memtable } from "./memtable/memtable.js";
import type { OpenEngineOptions, RecoveredState } from "./recover-state.js";
import { ProgressTeller } from "./recovery-progress.js";
import { lookSteadily } from "./steady-look.js";
import type { WriteResult } from "./write.js";

type LookOptions = Pick<OpenEngineOptions, "onProgress" | "hashSecret" | "turns">;

/**
 * What `recoverState` gives, for an engine that only looks: everything is read into memory as a dry run reads it, without the lock, and nothing
 * in the directory changes. Another process may have it open meanwhile.
 * @throws KayaError as `recoverState`
 */
export async function lookAtState(
  config: EngineConfig,
  disk: Disk,
  options: LookOptions,
): Promise<RecoveredState> {
  // A log without a record behind the checkpoint says nothing of whether it is the checkpoint's: a newer one may have taken its place.
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
  const checkpoints = await checkpointsToRead(disk);
  const { newest } = checkpoints;
  const registrations = await Registrations.read(disk);
  const progress = onProgress && (await ProgressTeller.of(disk, newest, onProgress));
  const { checkpoint, applied, cover } = await recoverCheckpoint(config, disk, newest, progress, "memory", {
    memtable: new Memtable(hashSecret && { hashSecret }),
    turns,
  });
  const wal = await WalWriter.open<WriteResult>(config.wal, disk, {
    readOnly: true,
    after: applied.position,
    covers: await coversOf(disk, checkpoints, cover, config.wal.maxRecordBytes),
    ...(note?.mark !== undefined && { closedAt: note.mark }),
    onRecord: ({ record }) => applied.replay(record),
    toResult: ({ lsn, sequence, durable }) => ({ lsn, sequence, durable }),
    ...(progress !== undefined && { onProgress: (of) => progress.ofLog(of) }),
  });
  const consumers = new Consumers(registrations, wal, config.changes.maxKeptLogBytes);
  if (newest !== undefined) wal.countKept(newest.lsn + 1, consumers.kept);
  const report = {
    ...wal.recovery,
    ...(checkpoint !== undefined && { checkpoint }),
    dryRun: true,
    durationMs: performance.now() - started,
  };
  return { applied, wal, checkpoint, consumers, report };
}
