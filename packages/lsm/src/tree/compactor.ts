import { asKayaError, KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { findDrops } from "../compaction/drops.js";
import { hasExpired, nextExpiry, rewrite } from "../compaction/expired.js";
import { type Pick, pickCompaction, pickFrom } from "../compaction/pick.js";
import { LAST_LEVEL, shapeOf } from "../compaction/shape.js";
import { LEVELS } from "../manifest/manifest-state.js";
import { type Extent, overlap, overlapping } from "../version/extent.js";
import type { LiveTable } from "../version/live-table.js";
import type { VersionSet } from "../version/version-set.js";
import { CompactionRun, type CompactionRunner } from "./compaction-run.js";
import type { ResolvedLsmOptions } from "./options.js";
import type { Counters } from "./stats.js";

/** While nothing else wants the disk: largest share of the last level that obsolete data takes. */
const QUIET_RATIO = 0.15;

/** Bounds of the timer for the next expiry: the clock may be set forward meanwhile. */
const SHORTEST_EXPIRY_MS = 1000;
const LONGEST_EXPIRY_MS = 60 * 60 * 1000;

/** Decides when to compact. Compactions run one after the other. */
export class Compactor {
  readonly #versions: VersionSet;
  readonly #options: ResolvedLsmOptions;
  readonly #runner: CompactionRunner;
  readonly #ending = new AbortController();
  /** The end of the last merge out of each level. */
  readonly #progress: (Uint8Array | undefined)[] = new Array(LEVELS).fill(undefined);
  #turn: Promise<unknown> = Promise.resolve();
  #looping: Promise<void> | undefined;
  /** Calls of `compact` that are under way. */
  #manual = 0;
  #isWanted = false;
  #failure: KayaError | undefined;
  #quietTimer: NodeJS.Timeout | undefined;
  /** The time of the last look for expired entries. */
  #lookedAt = 0;

  constructor(disk: Disk, versions: VersionSet, options: ResolvedLsmOptions, counters: Counters) {
    this.#versions = versions;
    this.#options = options;
    this.#runner = new CompactionRun(disk, versions, options, counters, this.#ending.signal);
  }

  get isRunning(): boolean {
    return this.#looping !== undefined || this.#manual > 0;
  }

  /** Why the last one failed. */
  get failure(): KayaError | undefined {
    return this.#failure;
  }

  /** The tables changed: compacts in the background until they have the right shape. */
  schedule(): void {
    if (!this.#options.autoCompact || this.#ending.signal.aborted) return;
    clearTimeout(this.#quietTimer);
    this.#isWanted = true;
    this.#looping ??= this.#loop();
  }

  /**
   * When the next look for expired entries pays, in milliseconds since 1970; undefined if none will expire without new writes.
   */
  get nextExpiryLook(): number | undefined {
    return nextExpiry(this.#levels, QUIET_RATIO, this.#lookedAt);
  }

  /** Removes expired entries in the background, if they are a fair share of a table. */
  lookForExpired(): void {
    if (!this.#options.autoCompact || this.#ending.signal.aborted) return;
    clearTimeout(this.#quietTimer);
    this.#looping ??= this.#loopQuietly();
  }

  /** Resolves when the compaction under way has ended, successful or not. */
  async turn(): Promise<void> {
    await this.#turn;
  }

  /** Waits until nothing is left to do, or a compaction fails: then it rejects as that did. */
  async settled(): Promise<void> {
    while (this.#looping !== undefined) await this.#looping;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Moves everything in an extent to the deepest level: one entry for each key is left, no tombstone, nothing expired.
   * @throws KayaError as the tables and the disk; KAYA_CLOSED
   */
  async compact(extent: Extent): Promise<void> {
    this.#manual++;
    try {
      const newestId = Math.max(0, ...(this.#levels[0] ?? []).map(({ meta }) => meta.id));
      await this.#once(() => this.#dropPick());
      for (let level = 0; level < LEVELS - 1; level++) {
        let left: Extent | undefined = extent;
        while (left !== undefined) left = await this.#compactOne(level, left, newestId);
      }
      const now = this.#options.now(); // entries that expire later may stay
      while (await this.#once(() => this.#expiredPick(extent, now)));
    } finally {
      this.#manual--;
    }
  }

  /** Ends the compaction under way, which changes nothing. */
  async stop(): Promise<void> {
    clearTimeout(this.#quietTimer);
    this.#ending.abort();
    await this.#looping;
    await this.#turn;
  }

  async #loop(): Promise<void> {
    try {
      while (this.#isWanted) {
        this.#isWanted = false;
        while (await this.#once(() => this.#autoPick(false), false));
      }
      this.#failure = undefined;
      this.#waitForQuiet();
    } catch (error) {
      // Reported on the channel and in the statistics; the next flush tries again. While closing it is expected.
      if (!this.#ending.signal.aborted) this.#failure = asKayaError(error, "compaction");
    } finally {
      this.#looping = undefined;
    }
  }

  #waitForQuiet(): void {
    const { quietMs } = this.#options;
    if (quietMs === 0 || this.#ending.signal.aborted) return;
    this.#quietTimer = setTimeout(() => this.lookForExpired(), quietMs).unref();
  }

  #waitForExpiry(): void {
    const next = this.#ending.signal.aborted ? undefined : this.nextExpiryLook;
    if (next === undefined || this.#options.quietMs === 0) return;
    const ms = next - this.#options.now();
    const wait = Math.max(SHORTEST_EXPIRY_MS, Math.min(LONGEST_EXPIRY_MS, ms));
    this.#quietTimer = setTimeout(() => this.lookForExpired(), wait).unref();
  }

  async #loopQuietly(): Promise<void> {
    try {
      while (await this.#once(() => this.#autoPick(!this.#isWanted), false));
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#failure = asKayaError(error, "compaction");
    } finally {
      this.#looping = undefined;
      if (this.#isWanted) this.schedule();
      else this.#waitForExpiry(); // also after a failure: expired entries are still there
    }
  }

  /** Picks and carries out one compaction in its turn. False where there was none. */
  #once(pick: () => Pick<LiveTable> | undefined, keepsProcess = true): Promise<boolean> {
    const result = this.#turn.then(async () => {
      if (this.#ending.signal.aborted) throw new KayaError("KAYA_CLOSED", "the tree is closed");
      const picked = pick();
      if (picked === undefined) return false;
      await this.#runner.carryOut(picked, { keepsProcess, isUrgent: () => this.#isUrgent });
      if (picked.kind === "merge") this.#remember(picked);
      return true;
    });
    this.#turn = result.catch(() => undefined); // the caller has the rejection
    return result;
  }

  get #levels(): readonly (readonly LiveTable[])[] {
    return this.#versions.current.levels;
  }

  /** Flushes are about to wait. */
  get #isUrgent(): boolean {
    const { level0Tables, level0Stop } = this.#options;
    return (this.#levels[0]?.length ?? 0) >= (level0Tables + level0Stop) / 2;
  }

  #autoPick(isQuiet: boolean): Pick<LiveTable> | undefined {
    const options = isQuiet ? { ...this.#options, quietRatio: QUIET_RATIO } : this.#options;
    this.#lookedAt = this.#options.now();
    return pickCompaction(this.#levels, options, this.#progress, this.#lookedAt);
  }

  #dropPick(): Pick<LiveTable> | undefined {
    const tables = findDrops(this.#levels, this.#options.now());
    return tables.length === 0 ? undefined : { kind: "drop", tables };
  }

  /** Of the last level: upper levels are merged into it. */
  #expiredPick(extent: Extent, now: number): Pick<LiveTable> | undefined {
    const tables = overlapping(this.#levels[LAST_LEVEL] ?? [], extent);
    const table = tables.find((each) => hasExpired(each, now));
    return table && rewrite(LAST_LEVEL, table);
  }

  /** Compacts a table of a level that overlaps an extent. Gives the rest of the extent on the level, or undefined. */
  async #compactOne(level: number, extent: Extent, newestId: number): Promise<Extent | undefined> {
    let left: Extent | undefined;
    await this.#once(() => {
      const tables = this.#levels[level] ?? [];
      const table =
        level === 0
          ? tables.find((each) => each.meta.id <= newestId && overlap(each, extent))
          : overlapping(tables, extent)[0];
      if (table === undefined) return undefined;
      if (level === 0)
        left = extent; // a move takes one of them, a merge all
      else if (table.end !== undefined) left = { start: table.end, end: extent.end };
      return pickFrom(this.#levels, level, shapeOf(this.#levels, this.#options), this.#options, table.start);
    });
    return left;
  }

  #remember({ inputs, to }: Extract<Pick<LiveTable>, { kind: "merge" }>): void {
    const [first] = inputs;
    if (first !== undefined && first.level > 0 && first.level < to)
      this.#progress[first.level] = first.tables.at(-1)?.end;
  }
}
