import { type EngineConfig, KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { LsmTree } from "@kaya/lsm";
import type { KeptLog, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import { MAX_MEMTABLE_BYTES } from "../memtable/memtable.js";
import { Flusher, type FlusherStats, type FlushResult } from "./flusher.js";

/** At how many bytes a memtable is sealed. */
export function mostBytesOf({ memory }: EngineConfig): number {
  return Math.min(memory.memtableBytes / 2, MAX_MEMTABLE_BYTES);
}

/** Closing flushes a log of more bytes than this: the next opening then has less than some milliseconds of it to replay. */
const WORTH_FLUSHING_BYTES = 256 * 1024;

/** Of the memtable that takes writes, what is filled while the entries of the other one are written; the rest is for the end of the flush. */
const FILLED_MEANWHILE = 3 / 4;
/** How far writers may be ahead of that: of a memtable, and in bytes. Small memtables are written in a few turns. */
const LEAD = 1 / 8;
const MIN_LEAD_BYTES = 1024 * 1024;

/** How flushes are doing, and how often writes waited for one. */
export interface FlushStats extends FlusherStats {
  /** How often writes waited for a flush because both memtables were full. */
  readonly heldUp: number;
}

interface FlushedEngine {
  readonly consumers: { readonly kept: KeptLog | undefined };
  readonly config: EngineConfig;
  readonly disk: Disk;
  readonly wal: WalWriter<unknown>;
  readonly applied: AppliedLog;
  readonly tree: LsmTree;
}

/**
 * When memtables are flushed: when asked for, and by themselves once one is full. There are two at most: writes that fill the
 * second one before the first is flushed wait.
 */
export class Flushes {
  readonly #isAutomatic: boolean;
  /** Most bytes of one memtable, and of the log behind the tables. */
  readonly #most: number;
  readonly #mostLog: number;
  readonly #wal: WalWriter<unknown>;
  readonly #applied: AppliedLog;
  readonly #flusher: Flusher;
  /** Called with the error of each write that `assertRoom` refuses. */
  onRefused: (error: KayaError) => void = () => undefined;
  #heldUp = 0;

  constructor({ config, disk, wal, applied, tree, consumers }: FlushedEngine) {
    this.#isAutomatic = config.tables.autoFlush;
    this.#most = mostBytesOf(config);
    this.#mostLog = config.memory.memtableBytes;
    this.#wal = wal;
    this.#applied = applied;
    this.#flusher = new Flusher(disk, wal, applied, tree, () => consumers.kept);
  }

  /** Begins one in the background if it is time. Cheap: it is called after every record. */
  consider(): void {
    if (!this.#isAutomatic || this.#flusher.isRunning || !this.#isDue()) return;
    // After a failure the active memtable is filled before the next attempt.
    if (this.#flusher.failure !== undefined && !this.#isFull()) return;
    this.#runInBackground();
  }

  /**
   * Refuses writes where both memtables are full and flushing fails: what they bring could not be held. Each refusal begins
   * another attempt.
   * @throws KayaError as the flush failed, with nothing written
   */
  assertRoom(): void {
    const { failure } = this.#flusher;
    if (failure === undefined || this.#applied.store.sealed === undefined || !this.#isFull()) return;
    if (!this.#flusher.isRunning) this.#runInBackground();
    const refused = new KayaError(
      failure.code,
      `nothing was written: memory.memtableBytes are used up, and what is in memory cannot be flushed into a table. ${failure.message}`,
      { cause: failure },
    );
    this.onRefused(refused);
    throw refused;
  }

  /**
   * The same for a write that cannot wait: a flush goes on only in turns of the event loop that the caller gives it.
   * @throws KayaError as `assertRoom`; KAYA_BUSY where nothing was written until a flush has made room
   */
  assertRoomSync(): void {
    this.assertRoom();
    if (this.throttle() === undefined && !this.#isUsedUp()) return;
    throw new KayaError(
      "KAYA_BUSY",
      "nothing was written: memory.memtableBytes are used up, and a flush, which goes on between turns of the event loop, has not made room yet: " +
        "`await db.flush()`, then write again. A long loop of synchronous writes does that now and then.",
    );
  }

  /** Before a batch is written to the log: what it has to wait for. */
  throttle(): Promise<void> | undefined {
    const { writing } = this.#flusher;
    if (writing === undefined || !this.#isFull()) return undefined;
    this.#heldUp++;
    // Where it fails, what is queued already goes past the bound, and `assertRoom` refuses what comes then.
    return writing;
  }

  /**
   * What a batch had better wait for, where `throttle` gives nothing. The memtable that takes writes fills faster than the sealed one is written:
   * going on like this, all writers would wait at once for what is left of that. So they wait a little now and again. Not where the write has not
   * begun: it may wait for a compaction.
   */
  pace(): Promise<void> | undefined {
    const { progress } = this.#flusher;
    if (progress === undefined || progress.share === 0) return undefined;
    const lead = Math.max(MIN_LEAD_BYTES, this.#most * LEAD);
    const most = this.#most * FILLED_MEANWHILE * progress.share + lead;
    return this.#applied.store.active.usedBytes > most ? progress.more() : undefined;
  }

  run(): Promise<FlushResult> {
    return this.#flusher.run();
  }

  /**
   * Drops what the tables cover and no consumer needs any more. Never rejects: what cannot be removed now is removed after the next
   * flush, and a failure that is final is the log's to tell.
   */
  async dropCovered(): Promise<void> {
    if (this.#wal.keptBytes > 0) await this.#flusher.dropCovered().catch(() => undefined);
  }

  /** Ends what is under way; before that flushes what the next opening would be long in replaying. */
  async close(): Promise<void> {
    const isWorthIt = this.#isAutomatic && this.#logBytes + this.#wal.pendingBytes > WORTH_FLUSHING_BYTES;
    // A failure is told on the channel. The log has it all.
    if (isWorthIt && this.#wal.failure === undefined) await this.run().catch(() => undefined);
    await this.#flusher.close();
  }

  get stats(): FlushStats {
    return { ...this.#flusher.stats, heldUp: this.#heldUp };
  }

  #runInBackground(): void {
    this.run().then(
      () => this.consider(),
      () => undefined, // `stats()` has the error
    );
  }

  #isDue(): boolean {
    if (this.#isFull() || this.#applied.store.sealed !== undefined) return true;
    // A log that is long and covered is dropped by the flush after the next write: without one there is nothing that a flush would do.
    return this.#logBytes >= this.#mostLog && !this.#flusher.isUpToDate;
  }

  #isUsedUp(): boolean {
    const { active, sealed } = this.#applied.store;
    if (active.usedBytes >= MAX_MEMTABLE_BYTES) return true;
    return this.#isAutomatic && active.usedBytes + (sealed?.usedBytes ?? 0) >= 2 * this.#most;
  }

  #isFull(): boolean {
    return this.#applied.store.active.usedBytes >= this.#most;
  }

  /** What a flush would make superfluous: not what is kept for consumers although the tables cover it. */
  get #logBytes(): number {
    return this.#wal.byteLength - this.#wal.keptBytes;
  }
}
