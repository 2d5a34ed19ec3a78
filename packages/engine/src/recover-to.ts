import {
  checkCallback,
  describe,
  type EngineConfig,
  KayaError,
  type Lsn,
  type PartialEngineConfig,
  readOptions,
  resolveEngineConfig,
} from "@kaya/core";
import type { Disk } from "@kaya/io";
import { assertOneStoreOn, readLog } from "@kaya/wal";
import type { AppliedLog } from "./apply.js";
import { type CheckpointFile, checkpointsToRead } from "./checkpoint/checkpoint-files.js";
import type { WrittenCheckpoint } from "./checkpoint/checkpointer.js";
import { type WrittenDirectory, writeDirectory } from "./checkpoint/new-directory.js";
import { coversOf, recoverCheckpoint } from "./checkpoint/recover-checkpoint.js";
import { TargetDirectory } from "./checkpoint/target-directory.js";
import type { CheckpointProgress } from "./checkpoint/write-checkpoint.js";
import { diskOf } from "./data-directory.js";
import { invalid } from "./input.js";
import { assertOutside } from "./outside.js";
import { ProgressTeller, type RecoveryProgress } from "./recovery-progress.js";
import { checkSignal, throwIfAborted } from "./signal.js";
import { lookSteadily } from "./steady-look.js";

export interface RecoverToOptions {
  /** The last record that is wanted, from 1 on. A batch is one record. */
  readonly lsn: Lsn;
  /** A directory, absent or empty and not inside the one that is read; or a disk. */
  readonly into: string | Disk;
  /** Ends it: it then rejects with the signal's reason and leaves nothing that could be opened. */
  readonly signal?: AbortSignal;
  /** How far the checkpoint and the log are read. `totalBytes` are those of the whole log, which is not read further than wanted. */
  readonly onRead?: (progress: RecoveryProgress) => void;
  readonly onWrite?: (progress: CheckpointProgress) => void;
}

export interface RecoverToResult extends WrittenDirectory {
  /** What it began with; absent where that was the log's first record. */
  readonly checkpoint?: WrittenCheckpoint;
  /** Records of the log behind it. */
  readonly recordCount: number;
  readonly durationMs: number;
}

const OPTIONS = ["lsn", "into", "signal", "onRead", "onWrite"];

/**
 * Builds a new data directory with the state as of one LSN, out of the newest checkpoint at or before it and the log between the two. What
 * stands behind that LSN is not read: it may be damaged. The directory that is read is not changed, and may be open: then what is being
 * written may count as written. What is built was read back, is durable, and goes on at `lsn + 1` when it is opened.
 * @throws KayaError KAYA_INVALID_ARGUMENT (`into` is not empty; `lsn` is above the last one, which the message names),
 *   KAYA_LOCK_CONFLICT (somebody else writes into `into`), KAYA_LOG_TRUNCATED (the log does not reach back so far; the message names the lowest LSN that can be had), KAYA_CORRUPTION with
 *   file and offset where damage stands before `lsn`, whatever `wal.recovery` says; KAYA_UNSUPPORTED_VERSION, KAYA_IO, KAYA_DISK_FULL,
 *   KAYA_FSYNC_FAILED; or the signal's reason. Then nothing is there that could be opened.
 */
export async function recoverTo(
  config: PartialEngineConfig | undefined,
  given: RecoverToOptions,
  disk?: Disk,
): Promise<RecoverToResult> {
  const started = performance.now();
  const resolved = resolveEngineConfig(config);
  const options = checkOptions(given);
  const { into, signal, onWrite } = options;
  throwIfAborted(signal);
  const source = diskOf(resolved, disk);
  await assertOutside("what is recovered", into, source);
  const { disableLocking } = resolved;
  const target = await TargetDirectory.find(into, { what: "what is recovered", disableLocking });
  const { applied, checkpoint, recordCount } = await lookSteadily(source, () =>
    readState(resolved, source, options),
  );
  const snapshot = applied.snapshot();
  try {
    const written = await target.fill((disk) =>
      writeDirectory(disk, applied.position, snapshot, {
        maxRecordBytes: resolved.wal.maxRecordBytes,
        check: () => throwIfAborted(signal),
        onProgress: onWrite,
      }),
    );
    return {
      ...written,
      ...(checkpoint !== undefined && { checkpoint }),
      recordCount,
      durationMs: performance.now() - started,
    };
  } finally {
    snapshot.release();
  }
}

interface StateAt {
  readonly applied: AppliedLog;
  readonly checkpoint: WrittenCheckpoint | undefined;
  readonly recordCount: number;
}

async function readState(
  config: EngineConfig,
  disk: Disk,
  { lsn, signal, onRead }: RecoverToOptions,
): Promise<StateAt> {
  const { older, newest } = await checkpointsToRead(disk);
  const checkpoints = newest === undefined ? older : [...older, newest];
  await assertOneStoreOn(
    disk,
    await coversOf(disk, { older: checkpoints }, undefined, config.wal.maxRecordBytes),
  );
  const base = checkpoints.findLast((file) => file.lsn <= lsn);
  const progress = await ProgressTeller.of(disk, base, (state) => {
    throwIfAborted(signal);
    onRead?.(state);
  });
  const { checkpoint, applied } = await recoverCheckpoint(config, disk, base, progress, "memory");
  if (checkpoint?.lsn === lsn) return { applied, checkpoint, recordCount: 0 };
  let recordCount = 0;
  const { lastLsn, gap } = await readLog(disk, {
    maxRecordBytes: config.wal.maxRecordBytes,
    after: applied.position,
    through: lsn,
    onRecord: ({ record }) => {
      recordCount++;
      return applied.replay(record);
    },
    onProgress: (state) => progress.ofLog(state),
  });
  if (lastLsn === lsn) return { applied, checkpoint, recordCount };
  throw notReached(
    lsn,
    lastLsn,
    checkpoints.find((file) => file.lsn > lsn),
    gap,
  );
}

/** @param above the lowest checkpoint that covers more than was asked for: the log before it is dropped */
function notReached(
  lsn: Lsn,
  lastLsn: Lsn,
  above: CheckpointFile | undefined,
  gap: KayaError | undefined,
): KayaError {
  if (above !== undefined) {
    return new KayaError(
      "KAYA_LOG_TRUNCATED",
      `LSN ${lsn} cannot be recovered any more: the log before ${above.path} was dropped. From there on LSN ${above.lsn} is the lowest that can be.`,
      gap && { cause: gap },
    );
  }
  return (
    gap ??
    invalid(
      `LSN ${lsn} cannot be recovered: ${lastLsn === 0 ? "there is no record" : `the last one is ${lastLsn}`}`,
    )
  );
}

/** The options, read once. @throws KayaError KAYA_INVALID_ARGUMENT */
function checkOptions(given: RecoverToOptions): RecoverToOptions {
  const options = readOptions(given, OPTIONS, "the options of recoverTo") as RecoverToOptions;
  const { lsn, signal, onRead, onWrite } = options;
  if (!Number.isSafeInteger(lsn) || lsn < 1)
    throw invalid(`lsn must be a whole number >= 1, not ${describe(lsn)}`);
  checkSignal(signal);
  checkCallback(onRead, "onRead");
  checkCallback(onWrite, "onWrite");
  return options;
}
