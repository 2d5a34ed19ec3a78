import type { PartialEngineConfig, WalConfig } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { logIdsOf } from "../log-ids.js";
import { ArmedFaults } from "./armed-faults.js";
import { CONSUMER_NAMES, ConsumerPlaces } from "./consumer-places.js";
import { Digest } from "./digest.js";
import type { FeedPosition } from "./followed.js";
import { SimTime } from "./sim-time.js";
import type { StoreConfig } from "./steps.js";
import { QUIET_STORE } from "./store-config.js";
import type { EngineOpener } from "./target.js";
import { Timeline } from "./timeline.js";
import type { Trace } from "./trace.js";

/** The same in all runs: a run repeats exactly. */
const HASH_SECRET = { low: 1, high: 2 };

/** The state that outlives a process: the disk, its waiting faults, and all that is known of every write. */
export class World {
  readonly disk: SimDisk;
  readonly faults = new ArmedFaults();
  readonly time = new SimTime();
  readonly timeline = new Timeline(() => this.time.now);
  readonly digest = new Digest();
  readonly openEngine: EngineOpener;
  #seeds = 0;
  config: WalConfig;
  /** Of memtables and tables; undefined where the engine does nothing by itself. */
  store: StoreConfig | undefined;
  /** By name. */
  readonly consumers: ReadonlyMap<string, ConsumerPlaces> = new Map(
    CONSUMER_NAMES.map((name) => [name, new ConsumerPlaces()]),
  );
  usesConsumers = false;
  readonly maxKeptLogBytes: number | undefined;
  /** Of all configurations that an engine had. */
  largestSegmentBytes = 0;
  crashes = 0;
  kills = 0;
  reopenings = 0;
  /** Tables that flushes wrote, and compactions, moves and drops among them. */
  flushes = 0;
  compactions = 0;
  acknowledged = 0;
  /** Writes that were acknowledged when an engine was opened that may lack room to finish its log's tail: the next one does. */
  unfinishedAt: number | undefined;
  reads = 0;
  /** Transactions that got a place in the log; those of them that had lost before; and those that were told that they lost. */
  transactions = 0;
  retries = 0;
  lostTransactions = 0;
  delivered = 0;
  /** Acknowledgements of consumers. */
  consumed = 0;
  /** How often a consumer was too slow for the kept log. */
  truncated = 0;
  /** Openings of another process that only looked. */
  looks = 0;
  /** Writes to rows of indexes that were acknowledged, and those that were told that another row has the key. */
  indexedWrites = 0;
  indexedRefusals = 0;
  /** Those that were done. */
  backups = 0;
  /** Those of them that went over an earlier one. */
  backupsAgain = 0;
  /** Directories that were built as of some LSN. */
  recoveredTo = 0;
  /** The disk of the last backup, successful or not. */
  lastTarget: SimDisk | undefined;
  /** Progress of an outside follower; undefined if it must begin anew. */
  followed: FeedPosition | undefined;

  constructor(trace: Trace, openEngine: EngineOpener) {
    const { seed, config, store, maxKeptLogBytes } = trace;
    this.disk = new SimDisk({ seed });
    this.config = config;
    this.store = store;
    this.maxKeptLogBytes = maxKeptLogBytes;
    const newLogId = logIdsOf(this.disk);
    const randomSeed = () => this.#nextSeed();
    // An engine without a given clock sees the time as it is now.
    this.openEngine = (config, disk, options = { clock: this.time.standing }) =>
      openEngine(config, disk, { newLogId, hashSecret: HASH_SECRET, randomSeed, ...options });
  }

  /** The options of the next engine. */
  get engineConfig(): PartialEngineConfig {
    return {
      wal: this.config,
      ...(this.store ?? QUIET_STORE),
      ...(this.maxKeptLogBytes !== undefined && { changes: { maxKeptLogBytes: this.maxKeptLogBytes } }),
    };
  }

  get hasAutomaticFlushes(): boolean {
    return this.store?.tables.autoFlush === true;
  }

  /** No two alike: they tell tables from each other. */
  #nextSeed(): Uint8Array {
    const seed = new Uint8Array(16);
    new DataView(seed.buffer).setUint32(0, ++this.#seeds);
    return seed;
  }
}
