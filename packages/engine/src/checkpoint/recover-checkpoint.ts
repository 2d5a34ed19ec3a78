import type { EngineConfig } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { KeptLog, LogCover, WalWriter } from "@kaya/wal";
import { AppliedLog } from "../apply.js";
import { Memtable } from "../memtable/memtable.js";
import type { ProgressTeller } from "../recovery-progress.js";
import { SYSTEM_TURNS, type Turns, TurnTaker } from "../turns.js";
import {
  CHECKPOINT_DIR,
  type CheckpointDirectory,
  type CheckpointFile,
  makeAbsenceDurable,
  makeNameDurable,
  removeSuperfluous,
} from "./checkpoint-files.js";
import type { WrittenCheckpoint } from "./checkpointer.js";
import { type CoveredLog, loadCheckpoint, readCover } from "./load-checkpoint.js";

/** The state that the log goes on from. */
export interface RecoveredCheckpoint {
  readonly checkpoint: WrittenCheckpoint | undefined;
  readonly applied: AppliedLog;
  /** What the checkpoint covers, of which log. */
  readonly cover: LogCover | undefined;
}

interface ReplayInto {
  readonly memtable?: Memtable;
  readonly turns?: Turns | undefined;
}

/**
 * Loads the newest checkpoint, where there is one. Changes nothing.
 * @throws KayaError as `loadCheckpoint`: an older one never takes its place
 */
export async function recoverCheckpoint(
  config: EngineConfig,
  disk: Disk,
  newest: CheckpointFile | undefined,
  progress: ProgressTeller | undefined,
  into: "memory" | "report",
  { memtable = new Memtable(), turns = SYSTEM_TURNS }: ReplayInto = {},
): Promise<RecoveredCheckpoint> {
  if (newest === undefined) {
    return {
      checkpoint: undefined,
      applied: new AppliedLog(memtable, undefined, turns),
      cover: undefined,
    };
  }
  const loaded = new TurnTaker(turns);
  const { covered, entries } = await loadCheckpoint(disk, newest, {
    maxRecordBytes: config.wal.maxRecordBytes,
    onEntry: (key, value, sequence) => {
      if (into === "memory") memtable.load(key, value, sequence);
      return loaded.after(1);
    },
    onProgress: progress && ((bytes) => progress.ofCheckpoint(bytes)),
  });
  memtable.finishLoading(covered.sequence);
  const cover = coverOf(newest, covered);
  return { checkpoint: { ...newest, entries }, applied: new AppliedLog(memtable, covered, turns), cover };
}

function coverOf({ path }: CheckpointFile, { lsn, logId }: CoveredLog): LogCover {
  return { path, lsn, id: logId };
}

/**
 * What all checkpoints of a directory cover, oldest first. An older one is there only where a crash ended the making of the newest, or somebody
 * put it there; one that does not begin as it must says nothing.
 * @param newest what the newest one covers, where that is known
 */
export async function coversOf(
  disk: Disk,
  { older }: Pick<CheckpointDirectory, "older">,
  newest: LogCover | undefined,
  maxRecordBytes: number,
): Promise<LogCover[]> {
  const covers: LogCover[] = [];
  for (const file of older) {
    const covered = await readCover(disk, file, maxRecordBytes);
    if (covered !== undefined) covers.push(coverOf(file, covered));
  }
  if (newest !== undefined) covers.push(newest);
  return covers;
}

/**
 * Does what a crash kept the last checkpoint from doing: makes its name durable, drops what it covers of the log, and removes what
 * is superfluous.
 * @param kept what of the log stays for those who follow it
 */
export async function finishCheckpoint(
  disk: Disk,
  wal: Pick<WalWriter, "dropSegmentsBefore">,
  checkpoints: CheckpointDirectory,
  kept: KeptLog | undefined,
): Promise<void> {
  const { newest } = checkpoints;
  if (newest !== undefined) {
    // Also where nothing is to be dropped: what is written from now on is worth nothing without it.
    await makeNameDurable(disk);
    await wal.dropSegmentsBefore(newest.lsn + 1, kept);
  } else {
    await makeAbsenceDurable(disk);
  }
  await removeSuperfluous(disk, checkpoints);
  // C12: an older one may be of another log (a backup that was rejected, and made anew). It must not come back beside the log that begins now.
  if (checkpoints.older.length > 0) await disk.syncDir(CHECKPOINT_DIR);
}
