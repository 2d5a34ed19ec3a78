import { asKayaError, KayaError, type Lsn } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import type { BlobStore } from "./blob-store.js";
import { type NodeMessage, tell } from "./channels.js";
import type { ClusterClock } from "./clock.js";
import { isDefinite } from "./log-appender.js";
import { ENTRY_OVERHEAD_BYTES, type StoredBase } from "./log-rules.js";
import type { LogBase, LogHead, SharedLog } from "./shared-log.js";
import { collectBases } from "./shipment/collect-bases.js";
import { makeBase } from "./shipment/make-base.js";
import type { ClusterCounters } from "./stats.js";
import { Wake } from "./wake.js";
import { TimeIsUp, within } from "./within.js";

/** The node of a `BaseKeeper`. */
export interface KeeperHost {
  /** The engine of the writer. */
  engine(): Engine;
  /** Resolves once the records up to `lsn` can be read here. @throws KayaError KAYA_WRITER_FAILED; or the signal's reason */
  untilApplied(lsn: Lsn, signal: AbortSignal): Promise<void>;
  /** The head that this writer made last. */
  head(): LogHead;
  readonly counters: ClusterCounters;
  message(): NodeMessage;
  trouble(error: unknown): void;
}

export interface BaseKeeperOptions {
  readonly log: SharedLog;
  readonly clock: ClusterClock;
  readonly store: BlobStore | undefined;
  readonly nodeId: string;
  readonly tailMaxBytes: number;
  /** How long a write waits for a trim, and a call for its answer, in milliseconds. */
  readonly timeoutMs: number;
  readonly host: KeeperHost;
}

/** A base is due when this share of the bound is behind the last one. */
export const BASE_SHARE = 1 / 4;
/** The records since the base before the newest stay for slow followers, unless the tail is longer than this share of the bound. */
const MARGIN_SHARE = 1 / 2;
/** Writes are slowed from this share of the bound on. */
const SLOW_SHARE = 3 / 4;
const SLOWEST_MS = 250;
const LOOK_MS = 1_000;

/**
 * Keeps the tail of the shared log short, for the writer of one epoch.
 *
 * C7: only records that the named base has are trimmed. A base is named once it is durable in the blob store and was read back. Another writer's claim
 * changes the version of the base: from then on this keeper can neither name a base nor trim. It removes old bases only right after it has named one. It
 * keeps the new base and the one before.
 */
export class BaseKeeper {
  readonly #options: BaseKeeperOptions;
  readonly #epoch: number;
  readonly #end = new AbortController();
  readonly #wake = new Wake();
  /** Writes that wait for room. */
  readonly #room = new Wake();
  #loop: Promise<void> | undefined;
  #base: LogBase | undefined;
  /** The base behind which the log was not trimmed yet, and the one before it. */
  #untrimmed: { readonly base: LogBase; readonly before: LogBase | undefined } | undefined;
  /** A base that is in the blob store, and that the shared log did not take yet. */
  #unnamed: StoredBase | undefined;
  /** The base that the log named when the naming of the newest one began. */
  #previous: LogBase | undefined;
  /** The last record when the shared log had no room; undefined once a base has that record, and the log was trimmed behind the base. */
  #fullAt: Lsn | undefined;
  /** How many times the loop has run. */
  #rounds = 0;
  /** The engine is flushed for a base. The flush waits for all writes that were made before it, also for one that waits for room. */
  #isFlushing = false;
  /** Since the last base, a write that such a flush waited for got the room that is kept for it. */
  #isReserveUsed = false;
  /** True once the base was read, also if there is none. */
  #isKnown = false;
  /** `LogHead.bytes` where the tail begins, or less. */
  #tailStart = 0;
  #hasWarned = false;
  /** The log may name another base: a naming got no answer, or a call was refused because the base changed. The next round reads it. */
  #isUnsure = false;
  /** Another writer claimed the log: nothing more can be named or trimmed. */
  #isOver = false;

  constructor(options: BaseKeeperOptions) {
    this.#options = options;
    this.#epoch = options.host.head().epoch;
    this.#tailStart = options.host.head().bytes;
  }

  /** Bytes of records in the shared log. At a takeover this is an estimate, which lacks at most the bytes of one base. */
  get tailBytes(): number {
    return Math.max(this.#options.host.head().bytes - this.#tailStart, 0);
  }

  /** The base that the log names; undefined if there is none, or before it was read. */
  get base(): LogBase | undefined {
    return this.#base;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Ends the loop. Resolves when no call is under way any more. */
  async close(): Promise<void> {
    this.#end.abort();
    this.#room.wake();
    await this.#loop;
  }

  /**
   * The shared log has refused a write because it has no room. A trim needs none: the log is trimmed behind its base at once. The next base is made at
   * once too. To name it needs room: that is tried before each write.
   */
  refused(): void {
    this.#fullAt = this.#options.host.head().lsn;
    this.#wake.wake();
  }

  /**
   * Waits until a batch may be appended. It slows writes as the tail comes near its bound.
   * @throws KayaError KAYA_DISK_FULL if the tail has reached its bound, and no base makes room in time
   */
  async admit(bytes: number): Promise<void> {
    const { store, clock, tailMaxBytes } = this.#options;
    await this.#waitWhile(() => !this.#isKnown);
    if (this.#unnamed !== undefined && this.#fullAt !== undefined && !this.#isOver) await this.#untilTried();
    else if (this.#isDue) this.#wake.wake();
    const needed = bytes + ENTRY_OVERHEAD_BYTES;
    if (store === undefined) {
      const share = (this.tailBytes + needed) / tailMaxBytes;
      if (share > 1) throw this.#full("Give all nodes a `blobStore`");
      if (share > 0.5) this.#warn();
      return;
    }
    const fill = (this.tailBytes + needed) / this.#limitBytes;
    if (fill > 1) await this.#untilRoom(needed);
    else if (fill > SLOW_SHARE)
      await clock.sleep((SLOWEST_MS * (fill - SLOW_SHARE)) / (1 - SLOW_SHARE), this.#end.signal);
  }

  /** Waits until the loop has tried to name the base: the base gets the room that there is before the batch does. */
  async #untilTried(): Promise<void> {
    const round = this.#rounds;
    this.#wake.wake();
    await this.#waitWhile(() => this.#rounds === round);
  }

  /** Waits while `holds` does, `timeoutMs` at most. */
  async #waitWhile(holds: () => boolean): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    const deadline = clock.now() + timeoutMs;
    while (holds() && clock.now() < deadline && !this.#end.signal.aborted)
      await this.#room.pause(clock, deadline - clock.now(), this.#end.signal);
  }

  /** The bound for writes. One more entry has room beyond it, for a write that the flush of a base waits for: else each would wait for the other. */
  get #limitBytes(): number {
    const { log, tailMaxBytes } = this.#options;
    return tailMaxBytes - log.maxEntryBytes - ENTRY_OVERHEAD_BYTES;
  }

  async #untilRoom(bytes: number): Promise<void> {
    const { clock, timeoutMs, host } = this.#options;
    const began = clock.now();
    const left = () => began + timeoutMs - clock.now();
    const hasRoom = () => this.tailBytes + bytes <= this.#limitBytes;
    this.#fullAt ??= host.head().lsn;
    this.#wake.wake();
    while (!hasRoom() && left() > 0 && !this.#end.signal.aborted) {
      if (this.#isFlushing && !this.#isReserveUsed) {
        this.#isReserveUsed = true;
        return;
      }
      // The flush waits for this write, or for one behind it: it can go on when this one is rejected.
      if (this.#isFlushing && clock.now() - began >= LOOK_MS) break;
      await this.#room.pause(clock, Math.min(left(), LOOK_MS), this.#end.signal);
    }
    if (!hasRoom()) throw this.#full("Make the blob store work again");
  }

  get #isDue(): boolean {
    const { host, store, tailMaxBytes } = this.#options;
    if (store === undefined || !this.#isKnown || this.#isOver) return false;
    if (this.#unnamed !== undefined) return true;
    if (this.#fullAt !== undefined && (this.#base?.lsn ?? 0) < this.#fullAt) return true;
    const head = host.head();
    // The log of an adopted store does not begin with LSN 1: no node can join it without a base.
    if (this.#base === undefined && (head.starts[0]?.lsn ?? 0) > 0 && head.starts[0]?.epoch === 1)
      return true;
    return head.bytes - (this.#base?.bytes ?? 0) >= tailMaxBytes * BASE_SHARE;
  }

  /** It never rejects. */
  async #run(): Promise<void> {
    const { clock, host } = this.#options;
    const { signal } = this.#end;
    while (!signal.aborted && !this.#isOver) {
      try {
        if (!this.#isKnown) await this.#look();
        else if (this.#isUnsure) await this.#readBase();
        if (!this.#isOver) await this.#trimAgain();
        if (this.#isDue) await this.#makeBase();
      } catch (error) {
        if (signal.aborted) return;
        if (KayaError.is(error, "KAYA_FENCED")) this.#isUnsure = true;
        else host.trouble(error instanceof TimeIsUp ? error : asKayaError(error, "make a base"));
      }
      this.#rounds++;
      this.#room.wake();
      await this.#wake.loopPause(clock, LOOK_MS, signal);
    }
  }

  async #look(): Promise<void> {
    await this.#readBase();
    const { tailMaxBytes } = this.#options;
    // The earlier writer kept the records of one base as a margin.
    this.#tailStart = Math.max((this.#base?.bytes ?? 0) - tailMaxBytes * BASE_SHARE, 0);
    this.#isKnown = true;
    this.#room.wake();
  }

  /**
   * C7: another writer's claim changes the base, and so does a call of this keeper that got no answer. Only the claim ends the keeper. The base is read before
   * the head: if a claim comes later, this base has an old version, and nothing can be named or trimmed with it.
   */
  async #readBase(): Promise<void> {
    const { log } = this.#options;
    const base = await this.#call((signal) => log.base({ signal }));
    const head = await this.#call((signal) => log.head({ signal }));
    if (head?.epoch === this.#epoch) this.#base = base;
    else this.#isOver = true;
    this.#isUnsure = false;
  }

  async #makeBase(): Promise<void> {
    const { store, host } = this.#options;
    if (store === undefined) return;
    const before = this.#base;
    // The log names another base by now, which has as much: this one can never be named.
    if (before !== undefined && this.#unnamed !== undefined && before.name !== this.#unnamed.name)
      if (this.#unnamed.lsn <= before.lsn) this.#unnamed = undefined;
    // A base that the log refused is named as it is, because to make another takes long.
    this.#unnamed ??= await this.#storeBase(store, before);
    if (this.#unnamed === undefined) return;
    // Its naming may have been done without an answer.
    if (before?.name !== this.#unnamed.name) this.#previous = before;
    this.#base = before?.name === this.#unnamed.name ? before : await this.#name(before, this.#unnamed);
    this.#unnamed = undefined;
    this.#isReserveUsed = false;
    host.counters.bases++;
    const { lsn } = this.#base;
    tell("base", () => ({ ...host.message(), state: "named", lsn }));
    this.#untrimmed = { base: this.#base, before: this.#previous };
    await this.#trimAgain();
    await this.#collect(store, this.#base, this.#previous);
  }

  /** @returns the base, durable in the blob store; undefined if nothing was written since the one before */
  async #storeBase(store: BlobStore, before: LogBase | undefined): Promise<StoredBase | undefined> {
    const { nodeId, host } = this.#options;
    const { signal } = this.#end;
    const head = host.head();
    // The base must have at least the records that this head counts.
    await host.untilApplied(head.lsn, signal);
    const { name, lsn, sequence } = await makeBase(host.engine(), store, {
      epoch: this.#epoch,
      nodeId,
      previous: before?.name,
      onLost: (error) => host.trouble(error),
      flush: () => this.#flush(),
      signal,
    });
    if (before !== undefined && lsn <= before.lsn) {
      await this.#hasAll(before, head);
      return undefined;
    }
    return { name, lsn, sequence, bytes: head.bytes, epoch: this.#epoch };
  }

  /** The base has all records that a head counts, but it was named with fewer bytes. So the tail seemed longer than it is. */
  async #hasAll(base: LogBase, { bytes }: LogHead): Promise<void> {
    this.#base = { ...base, bytes };
    if (this.tailBytes <= this.#options.tailMaxBytes * MARGIN_SHARE) return;
    this.#untrimmed = { base: this.#base, before: this.#base };
    await this.#trimAgain();
  }

  async #flush(): Promise<void> {
    this.#isFlushing = true;
    this.#room.wake();
    try {
      await this.#options.host.engine().flush();
    } finally {
      this.#isFlushing = false;
    }
  }

  /** Names a base. After a lost answer it reads the base, and tries again if nothing changed. */
  async #name(before: LogBase | undefined, next: StoredBase): Promise<LogBase> {
    const { log } = this.#options;
    for (;;) {
      try {
        return await this.#call((signal) => log.setBase(before, next, { signal }));
      } catch (error) {
        this.#end.signal.throwIfAborted();
        if (isDefinite(error) && !KayaError.is(error, "KAYA_FENCED")) throw error;
        this.#isUnsure = true;
        const found = await this.#call((signal) => log.base({ signal }));
        this.#isUnsure = !isDefinite(error);
        if (found?.name === next.name) return found;
        if (isDefinite(error) || found?.version !== before?.version) throw error;
      }
    }
  }

  /** A trim that failed is tried again: a full tail takes no writes, so no other base becomes due. */
  async #trimAgain(): Promise<void> {
    if (this.#fullAt !== undefined) await this.#trimAll(this.#fullAt);
    if (this.#untrimmed === undefined) return;
    const { base, before } = this.#untrimmed;
    const { host, tailMaxBytes } = this.#options;
    const isLong = host.head().bytes - (before?.bytes ?? 0) > tailMaxBytes * MARGIN_SHARE;
    await this.#trim(base, isLong ? base : before);
    this.#untrimmed = undefined;
  }

  /** Leaves no margin for slow followers: the shared log has no room. */
  async #trimAll(fullAt: Lsn): Promise<void> {
    const base = this.#base;
    if (base === undefined) return;
    if (this.#tailStart < base.bytes) await this.#trim(base, base);
    this.#untrimmed = undefined;
    if (base.lsn >= fullAt) this.#fullAt = undefined;
  }

  async #trim(base: LogBase, start: LogBase | undefined): Promise<void> {
    const { log, host } = this.#options;
    if (start === undefined) return;
    await this.#call((signal) => log.trim(base, start.lsn, { signal }));
    this.#tailStart = start.bytes;
    host.counters.trims++;
    this.#room.wake();
    tell("base", () => ({ ...host.message(), state: "trimmed", lsn: start.lsn }));
  }

  async #collect(store: BlobStore, base: LogBase, before: LogBase | undefined): Promise<void> {
    const keep = before === undefined ? [base.name] : [base.name, before.name];
    await collectBases(store, { keep, epoch: this.#epoch, signal: this.#end.signal });
  }

  #call<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#options;
    return within(clock, timeoutMs, run, this.#end.signal);
  }

  #warn(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#options.host.trouble(this.#fullness("half of", "Give all nodes a `blobStore` before it is full"));
  }

  #full(remedy: string): KayaError {
    return this.#fullness("all of", `Nothing was written. ${remedy}, or open the nodes with a larger bound`);
  }

  #fullness(share: string, remedy: string): KayaError {
    const { log, tailMaxBytes } = this.#options;
    return new KayaError(
      "KAYA_DISK_FULL",
      `${log.name}: the shared log has ${share} its bound, tailMaxBytes (${tailMaxBytes} bytes), and no base behind which it could be trimmed. ${remedy}.`,
    );
  }
}
