import {
  checkCallback,
  describe,
  type EngineConfig,
  KayaError,
  type LogPosition,
  type Lsn,
  type PartialEngineConfig,
  readOptions,
  resolveEngineConfig,
  throwIfAborted,
} from "@kaya/core";
import type { Disk } from "@kaya/io";
import { type FoundTree, type LsmSnapshot, LsmTree, TreeCopy } from "@kaya/lsm";
import { assertOneStoreOn, randomLogId, readLog } from "@kaya/wal";
import { AppliedLog } from "./apply.js";
import type { BackupProgress, WrittenDirectory } from "./backup/backup.js";
import { TargetDirectory } from "./backup/target-directory.js";
import { diskOf } from "./data-directory.js";
import { invalid } from "./input.js";
import { assertOutside } from "./outside.js";
import type { RecoveryProgress } from "./recovery-progress.js";
import { checkSignal } from "./signal.js";
import { lookSteadily } from "./steady-look.js";
import { coversOf } from "./store/found-store.js";
import { lsmOptions } from "./store/lsm-options.js";
import { StagedReplay } from "./store/staged-replay.js";
import { Store } from "./store/store.js";
import { assertFinished } from "./unfinished.js";

/** The state that is wanted, and the directory that it is written into. */
export interface RecoverToOptions {
  /** Log sequence number of the last record that is wanted, from 1 on. A batch is one record. */
  readonly lsn: Lsn;
  /** A directory that is absent or empty and not inside the one that is read; or a disk. */
  readonly into: string | Disk;
  /** Ends it: it rejects with the signal's reason and leaves nothing that can be opened. */
  readonly signal?: AbortSignal;
  /**
   * Called as the log is read. `totalBytes` is the size of the whole log, which is read only as far as wanted.
   */
  readonly onRead?: (progress: RecoveryProgress) => void;
  /** Called as the new directory is written and read back. */
  readonly onWrite?: (progress: BackupProgress) => void;
}

/** What the new directory holds, and what it was built from. */
export interface RecoverToResult extends WrittenDirectory {
  /** The position of the tables that it began with; absent if it began with the log's first record. */
  readonly base?: LogPosition;
  /** How many records of the log were applied to them. */
  readonly recordCount: number;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
}

const OPTIONS = ["lsn", "into", "signal", "onRead", "onWrite"];

/**
 * Builds a new data directory with the state as of one LSN (log sequence number): from the tables, if they hold
 * no later record, and the log behind them; otherwise from the log alone, if it still has its first record.
 * Records after that LSN are not read and may be damaged. The directory that is read is not changed and may be
 * open: then writes that are under way may be in the result. The result was read back, is durable, and goes on
 * at `lsn + 1` when it is opened.
 *
 * @param config where the data is, and how large its records are
 * @param given the LSN, and the directory to write into
 * @param disk read instead of the real directory `config.dataDir`
 * @throws KayaError KAYA_INVALID_ARGUMENT if `into` is not empty, or `lsn` is above the last one, which the
 *   message names; KAYA_LOCK_CONFLICT if another process writes into `into`; KAYA_LOG_TRUNCATED if the log does
 *   not reach back so far (the message names the lowest LSN that can be had); KAYA_CORRUPTION with file and
 *   offset if damage stands before `lsn`, whatever `wal.recovery` says; KAYA_UNSUPPORTED_VERSION, KAYA_IO,
 *   KAYA_DISK_FULL, KAYA_FSYNC_FAILED; or the signal's reason. Then nothing is there that can be opened
 */
export async function recoverTo(
  config: PartialEngineConfig | undefined,
  given: RecoverToOptions,
  disk?: Disk,
): Promise<RecoverToResult> {
  const started = performance.now();
  const resolved = resolveEngineConfig(config);
  const options = checkOptions(given);
  const { into, signal } = options;
  throwIfAborted(signal);
  const source = diskOf(resolved, disk);
  await assertFinished(source);
  await assertOutside("the recovered data", into, source);
  const { disableLocking } = resolved;
  const target = await TargetDirectory.find(into, { what: "the recovered data", disableLocking });
  let isWhole = false;
  try {
    const rebuild = () => new Rebuild(resolved, source, target, options).run();
    const built = await lookSteadily(source, rebuild);
    isWhole = true;
    return { ...built, durationMs: performance.now() - started };
  } finally {
    if (isWhole) await target.end(true);
    else await target.undo();
  }
}

/** One attempt: it leaves the new directory, or nothing. */
class Rebuild {
  readonly #config: EngineConfig;
  readonly #source: Disk;
  readonly #target: TargetDirectory;
  readonly #options: RecoverToOptions;
  readonly #check: () => void;
  /** The tables that it begins with. */
  #base: LsmSnapshot | undefined;
  #copy: TreeCopy | undefined;
  #recordCount = 0;

  constructor(config: EngineConfig, source: Disk, target: TargetDirectory, options: RecoverToOptions) {
    this.#config = config;
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#check = () => throwIfAborted(options.signal);
  }

  async run(): Promise<Omit<RecoverToResult, "durationMs">> {
    const found = await LsmTree.look(this.#source, lsmOptions(this.#config, this.#source));
    try {
      return await this.#build(found);
    } catch (error) {
      await this.#copy?.abandon();
      throw error;
    } finally {
      this.#base?.release();
      await found.close();
    }
  }

  async #build(found: FoundTree): Promise<Omit<RecoverToResult, "durationMs">> {
    const { lsn } = this.#options;
    await assertOneStoreOn(this.#source, coversOf(found));
    const { covered } = found;
    const base = covered.lsn > 0 && covered.lsn <= lsn ? covered : undefined;
    if (base !== undefined) this.#base = found.snapshot();
    const applied = new AppliedLog(new Store(), base);
    const replay = new StagedReplay(applied, this.#config, async (source, position) =>
      (await this.#begun()).add(source, position),
    );
    if (base?.lsn !== lsn) await this.#replay(replay, applied.position, covered.lsn);
    // From here on it only depends on what is in memory and in open files.
    await replay.stage();
    const copy = await this.#begun();
    const { covered: position, tables, bytes } = await copy.finish(randomLogId());
    return { ...position, tables, bytes, ...(base && { base }), recordCount: this.#recordCount };
  }

  /** @param covered by the tables that are there, whether it begins with them or not */
  async #replay(replay: StagedReplay, after: LogPosition, covered: Lsn): Promise<void> {
    const { lsn, onRead } = this.#options;
    const { lastLsn, gap } = await readLog(this.#source, {
      maxRecordBytes: this.#config.wal.maxRecordBytes,
      after,
      through: lsn,
      onRecord: ({ record }) => {
        this.#recordCount++;
        return replay.replay(record);
      },
      onProgress: (progress) => {
        this.#check();
        onRead?.(progress);
      },
    });
    if (lastLsn !== lsn) throw notReached(lsn, lastLsn, covered, gap);
  }

  /** The target is taken when the first table is written. */
  async #begun(): Promise<TreeCopy> {
    this.#copy ??= await this.#begin();
    return this.#copy;
  }

  async #begin(): Promise<TreeCopy> {
    const { onWrite } = this.#options;
    const disk = await this.#target.take();
    return TreeCopy.begin(disk, {
      ...(this.#base && { from: this.#base }),
      tables: lsmOptions(this.#config, disk),
      check: this.#check,
      ...(onWrite && { onProgress: onWrite }),
    });
  }
}

/** @param covered by the tables: the log before that may be dropped */
function notReached(lsn: Lsn, lastLsn: Lsn, covered: Lsn, gap: KayaError | undefined): KayaError {
  if (covered > lsn) {
    return new KayaError(
      "KAYA_LOG_TRUNCATED",
      `LSN ${lsn} cannot be recovered any more: the tables cover the log through LSN ${covered}, and it was dropped before that. LSN ${covered} is the lowest that can be.`,
      gap && { cause: gap },
    );
  }
  return (
    gap ??
    invalid(
      `LSN ${lsn} cannot be recovered: ${lastLsn === 0 ? "the log has no records" : `the last one is ${lastLsn}`}`,
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
