import { EventEmitter } from "node:events";
import {
  asKayaError,
  checkCallback,
  describe,
  KayaError,
  type LogPosition,
  type Lsn,
  readOptions,
} from "@kaya/core";
import { Engine } from "@kaya/engine";
import { checkBlobStore } from "../blob/check-blob-store.js";
import type { BlobStore } from "../blob-store.js";
import { type ClusterClock, SYSTEM_CLOCK } from "../clock.js";
import { DirectoryLogSource } from "./directory-log-source.js";
import { EngineLogSource } from "./engine-log-source.js";
import type { LogSource } from "./log-source.js";
import { Shipper } from "./shipper.js";

/** How often a replication ships, and for how long earlier states are kept. */
export interface ReplicateOptions {
  /**
   * Milliseconds between two reads of the log. If the machine is lost while the store answers, about the writes of this time are lost. 10
   * to 86,400,000. Default 1,000.
   */
  readonly intervalMs?: number;
  /** How long earlier states can be restored, in milliseconds. At least 0. Default 24 hours. */
  readonly keepMs?: number;
  /** A new base is made after this many bytes of log. It limits the part of the log that a restore reads. At least 1. Default 64 MiB. */
  readonly baseBytes?: number;
  /** A new base is also made after this many objects of the log. At least 1. Default 3,600. */
  readonly baseChunks?: number;
  /** The clock, for simulations. Default: the machine's clock. */
  readonly clock?: ClusterClock;
  /** The time of day that is stored with each object, in milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
}

/** The newest shipped state. */
export interface ReplicaPosition extends LogPosition {
  /** When its last object was shipped, in milliseconds since 1970. `restore` accepts it as `time`. */
  readonly time: number;
  /** The name of the history that it belongs to. */
  readonly generation: string;
}

/** Acknowledged writes that are not shipped yet. If the machine is lost, they are lost too. */
export interface ReplicaLag {
  /** The number of records that are not shipped. */
  readonly records: number;
  /** How long there have been records that are not shipped, in milliseconds; 0 if all are shipped. */
  readonly ms: number;
}

/** The events of a replication, with the arguments of their listeners. */
export interface ReplicationEvents {
  /** The store or the log failed. The replication tries again within a minute. */
  trouble: [KayaError];
  /** The replication has ended for good: another process ships into the store, a table is damaged, or the engine was closed. */
  failed: [KayaError];
  /** A new history begins, because the earlier one cannot be continued. The second argument is the reason. */
  generation: [generation: string, why: string];
  /** A base was made. It has everything up to this LSN. */
  base: [lsn: Lsn];
}

const OPTIONS: readonly (keyof ReplicateOptions)[] = [
  "intervalMs",
  "keepMs",
  "baseBytes",
  "baseChunks",
  "clock",
  "now",
];

const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;

/** The longest pause before the next attempt. */
const MOST_WAIT_MS = 60_000;

/** Errors that another attempt cannot fix. */
const FINAL = [
  "KAYA_FENCED",
  "KAYA_CORRUPTION",
  "KAYA_INVALID_ARGUMENT",
  "KAYA_UNSUPPORTED_VERSION",
] as const;

/**
 * Ships a store to a blob store while it is used: new tables, and every `intervalMs` the durable end of its log. `restore` builds a data
 * directory from it, with the newest state or that of any record of the last `keepMs`.
 *
 * The blob store always has a prefix of the acknowledged history. The replication never delays writes. The next call continues where this
 * one ended. That is impossible if the log does not continue the shipped history: a relaxed end was lost, the directory was restored from
 * elsewhere, or a flush dropped records that were not shipped. Then a new generation begins, and an event tells the reason. Only one
 * process may ship into a store. If there are two, the one that began last continues, and the other one fails with KAYA_FENCED.
 *
 * For an engine that writes, it registers a consumer of the change feed, `replica …`. So flushes keep the log that was not shipped, up to
 * `changes.maxKeptLogBytes`. Remove the consumer if you stop replicating for good. An engine that was opened with `readOnly`, beside the
 * process that writes, works too. Then nothing keeps the log, and it also ships records that a power cut may still remove.
 *
 * @returns when the first attempt has ended, also if the store did not answer: see `trouble`
 * @throws KayaError KAYA_INVALID_ARGUMENT; KAYA_FENCED, KAYA_CORRUPTION if the first attempt shows that the replication cannot work;
 *   KAYA_CLOSED
 */
export async function replicate(
  db: Engine,
  store: BlobStore,
  options?: ReplicateOptions,
): Promise<Replication> {
  if (!(db instanceof Engine)) throw invalid(`replicate needs an Engine, not ${describe(db)}`);
  checkBlobStore(store, "the store");
  const checked = checkOptions(options);
  const source = isReadOnly(db) ? new DirectoryLogSource(db) : new EngineLogSource(db, store.name);
  const replication = new Replication(source, store, checked);
  await replication.begin();
  return replication;
}

/** The replication of one store. It does not keep the process alive. Close it before the engine. */
export class Replication extends EventEmitter<ReplicationEvents> {
  /** The name of the consumer that keeps the log; undefined if another process writes. */
  readonly consumer: string | undefined;
  readonly #source: LogSource;
  readonly #shipper: Shipper;
  readonly #options: Required<ReplicateOptions>;
  readonly #ending = new AbortController();
  readonly #storeEnding = new AbortController();
  /** The current attempt, or the last one. */
  #attempt: Promise<void> = Promise.resolve();
  /** The attempt that begins after the current one. */
  #next: Promise<void> | undefined;
  #failure: KayaError | undefined;
  #trouble: KayaError | undefined;
  /** The last moment at which everything was shipped, by the clock. */
  #levelAt: number;
  #loop: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** @internal Made by `replicate`. */
  constructor(source: LogSource, store: BlobStore, options: Required<ReplicateOptions>) {
    super();
    this.#source = source;
    this.#options = options;
    this.consumer = source instanceof EngineLogSource ? source.consumer : undefined;
    this.#levelAt = options.clock.now();
    this.#shipper = new Shipper({
      ...options,
      source,
      store,
      signal: this.#storeEnding.signal,
      onGeneration: (generation, why) => this.emit("generation", generation, why),
      onBase: (lsn) => this.emit("base", lsn),
    });
  }

  /** The newest shipped state; undefined until the store has answered. */
  get position(): ReplicaPosition | undefined {
    const position = this.#shipper.position;
    if (position === undefined) return undefined;
    const { lsn, sequence, time, generation } = position;
    return { lsn, sequence, time, generation };
  }

  /** Durable acknowledged writes that are not shipped yet. */
  get lag(): ReplicaLag {
    const records = Math.max(0, this.#source.endLsn - (this.#shipper.position?.lsn ?? 0));
    return { records, ms: records === 0 ? 0 : this.#options.clock.now() - this.#levelAt };
  }

  /** The error that ended the replication for good; undefined while it runs. */
  get failure(): KayaError | undefined {
    return this.#failure;
  }

  /** The error of the last attempt; undefined if it succeeded. */
  get trouble(): KayaError | undefined {
    return this.#trouble;
  }

  /**
   * Ships everything that is durable now, and resolves when it is in the store. It makes one attempt. If that fails, the next regular
   * attempt follows anyway.
   *
   * @throws KayaError the store's error; `failure`; KAYA_CLOSED
   */
  async sync(): Promise<ReplicaPosition> {
    if (this.#closing !== undefined) throw closed();
    await this.#ship();
    return this.position as ReplicaPosition; // a successful attempt has set it
  }

  /**
   * Makes a last attempt to ship what is durable, and ends the replication. A second call returns the same promise. The replication has
   * ended even if the call rejects. The next `replicate` continues from what is in the store.
   *
   * @throws KayaError the store's error if the last attempt failed and durable records are not shipped
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Closes the replication at the end of an `await using` block, as `close` does. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  async begin(): Promise<void> {
    await this.#ship().catch(() => undefined); // the event `trouble` or `failed` reported it
    if (this.#failure !== undefined) {
      this.#closing = Promise.resolve();
      await this.#source.close();
      throw this.#failure;
    }
    this.#loop = this.#run();
  }

  async #run(): Promise<void> {
    const { clock, intervalMs } = this.#options;
    const { signal } = this.#ending;
    for (let failed = 0; this.#failure === undefined; ) {
      await clock.sleep(Math.min(intervalMs * 2 ** failed, Math.max(intervalMs, MOST_WAIT_MS)), signal);
      if (signal.aborted) return;
      // The error is not lost: an event reported it.
      failed = await this.#ship().then(
        () => 0,
        () => failed + 1,
      );
    }
  }

  /** Calls that come during an attempt share the next attempt. */
  #ship(): Promise<void> {
    this.#next ??= this.#attempt
      .catch(() => undefined) // its own caller got the error
      .then(() => {
        this.#next = undefined;
        this.#attempt = this.#attemptOnce();
        return this.#attempt;
      });
    return this.#next;
  }

  async #attemptOnce(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const began = this.#options.clock.now();
    try {
      await this.#shipper.ship();
      this.#levelAt = began;
      this.#trouble = undefined;
    } catch (error) {
      throw this.#failed(asKayaError(error, "replicate"));
    }
  }

  #failed(error: KayaError): KayaError {
    this.#trouble = error;
    if (FINAL.some((code) => error.code === code)) {
      this.#failure = error;
      this.emit("failed", error);
    } else this.emit("trouble", error);
    return error;
  }

  async #close(): Promise<void> {
    this.#ending.abort();
    await this.#loop;
    try {
      if (this.#failure !== undefined) return;
      await this.#ship();
      await this.#shipper.end();
    } catch (error) {
      if (this.lag.records > 0 || this.position === undefined) throw error;
      // All records are in the store. Only the object that marks the end was not written, or old objects were not removed.
    } finally {
      this.#storeEnding.abort(closed());
      await this.#source.close();
    }
  }
}

function isReadOnly(db: Engine): boolean {
  return db.stats().state !== "closed" && db.lastRecovery.dryRun;
}

function checkOptions(given: ReplicateOptions | undefined): Required<ReplicateOptions> {
  const { intervalMs, keepMs, baseBytes, baseChunks, clock, now } = readOptions(
    given,
    OPTIONS,
    "the options of replicate",
  );
  checkCallback(now, "now");
  return {
    intervalMs: checkNumber("intervalMs", intervalMs ?? 1000, 10, DAY_MS),
    keepMs: checkNumber("keepMs", keepMs ?? DAY_MS, 0, Number.MAX_SAFE_INTEGER),
    baseBytes: checkNumber("baseBytes", baseBytes ?? 64 * MIB, 1, Number.MAX_SAFE_INTEGER),
    baseChunks: checkNumber("baseChunks", baseChunks ?? 3600, 1, Number.MAX_SAFE_INTEGER),
    clock: clock ?? SYSTEM_CLOCK,
    now: now ?? Date.now,
  };
}

function checkNumber(name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw invalid(`${name} must be a whole number from ${least} to ${most}, not ${describe(value)}`);
}

function invalid(message: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", message);
}

function closed(): KayaError {
  return new KayaError("KAYA_CLOSED", "the replication is closed");
}
