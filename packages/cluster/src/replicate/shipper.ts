import { KayaError, type Lsn } from "@kaya/core";
import type { LogHistory } from "@kaya/wal";
import type { BlobStore } from "../blob-store.js";
import { type Base, encodeBase, readBase } from "../shipment/base-object.js";
import { shipTables } from "../shipment/ship-tables.js";
import type { TableObject } from "../shipment/table-object.js";
import { findLastPosition, type LastPosition } from "./last-position.js";
import { encodeChunk } from "./log-chunk.js";
import type { LogSource } from "./log-source.js";
import {
  chunkObject,
  copyObject,
  endObject,
  listRuns,
  newRun,
  runNumber,
  runObject,
  tableFolder,
} from "./replica-names.js";
import { removeExpired } from "./retention.js";
import { encodeRun, type Run, readRun, type ShippedPosition } from "./run.js";

/** The approximate size of the records in one object of the log. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/** The log is released each time that this many bytes were shipped. A release costs an fsync. */
const RELEASE_BYTES = 4 * 1024 * 1024;

/** The source and the target of a shipper, and its settings. */
export interface ShipperOptions {
  readonly source: LogSource;
  readonly store: BlobStore;
  /** How long earlier states can be restored, in milliseconds. */
  readonly keepMs: number;
  /** A base is made after this many bytes of log. So a restore reads about this many at most. */
  readonly baseBytes: number;
  /** A base is also made after this many objects of the log. */
  readonly baseChunks: number;
  /** The current time in milliseconds since 1970. */
  readonly now: () => number;
  /** Called for each new generation and each new base. */
  readonly onGeneration: (generation: string, why: string) => void;
  readonly onBase: (lsn: Lsn) => void;
  readonly signal: AbortSignal;
}

/** A run that has begun. */
interface OpenRun {
  readonly run: string;
  /** The first run of the generation. */
  readonly generation: string;
  readonly logId: string;
  position: ShippedPosition;
  /** When the last object was made, in milliseconds since 1970. */
  time: number;
  /** The newest base of this generation. */
  base: { readonly lsn: Lsn; readonly tables: readonly TableObject[] } | undefined;
  /** Stored tables that no collector removes. */
  stored: readonly TableObject[];
  bytesSinceBase: number;
  chunksSinceBase: number;
  bytesSinceRelease: number;
}

/** The decisions at the beginning of a run. */
interface Beginning {
  readonly run: Run;
  /** The last shipped position of the newest run. */
  readonly last: LastPosition | undefined;
  /** Why that run is not continued; undefined: it is continued. */
  readonly why: string | undefined;
}

/** A chunk that may already be stored, if a `put` got no answer. Only the same bytes may be stored again under its name. */
interface PendingChunk {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly position: ShippedPosition;
  readonly time: number;
}

/**
 * Ships a store step by step. If a call failed, call it again: it continues where the last one ended.
 *
 * The store always has a prefix of the history. Each chunk continues the shipped records. A base is stored after all of its tables, and
 * after the records up to it.
 */
export class Shipper {
  readonly #options: ShipperOptions;
  #run: OpenRun | undefined;
  /** The run that is being begun. Its object may already be stored. */
  #beginning: Beginning | undefined;
  #pending: PendingChunk | undefined;

  constructor(options: ShipperOptions) {
    this.#options = options;
  }

  /** The last shipped position; undefined before the first call has succeeded. */
  get position(): (ShippedPosition & { readonly time: number; readonly generation: string }) | undefined {
    const run = this.#run;
    return run && { ...run.position, time: run.time, generation: run.generation };
  }

  /**
   * Ships everything that the source has now.
   * @throws KayaError KAYA_FENCED if another process ships into the store, which is final; KAYA_CORRUPTION if a table is damaged; the
   *   store's errors
   */
  async ship(): Promise<void> {
    const { source } = this.#options;
    await source.refresh();
    await this.#follow();
    const run = await this.#opened();
    try {
      await this.#shipLog(run);
    } catch (error) {
      if (!KayaError.is(error, "KAYA_LOG_TRUNCATED")) throw error;
      await this.#beginAnew(error.message);
      return this.#shipLog(await this.#opened());
    }
    if (this.#isBaseDue(run)) await this.#makeBase(run);
    if (run.bytesSinceRelease >= RELEASE_BYTES) await this.#release(run);
  }

  /** Stores the object that marks the end of the run: no records after its last object are missing. */
  async end(): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    await this.#release(run);
    await this.#options.store.put(endObject(run.run, run.position.lsn), new Uint8Array(0), this.#pass);
  }

  get #pass(): { readonly signal: AbortSignal } {
    return { signal: this.#options.signal };
  }

  /** Begins a new generation if the log has another id: then a recovery cut the log while this process was reading it. */
  async #follow(): Promise<void> {
    if (this.#run === undefined) return;
    const { id } = await this.#options.source.history();
    if (id !== this.#run.logId) await this.#beginAnew(`the log has another id, ${id}`);
  }

  async #opened(): Promise<OpenRun> {
    this.#run ??= await this.#begin(undefined);
    return this.#run;
  }

  async #beginAnew(why: string): Promise<void> {
    this.#run = undefined;
    this.#beginning = undefined;
    this.#pending = undefined;
    this.#run = await this.#begin(why);
  }

  /** @param broken why the shipped history cannot be continued; undefined: this call finds that out */
  async #begin(broken: string | undefined): Promise<OpenRun> {
    const { store, onGeneration } = this.#options;
    this.#beginning ??= await this.#decide(broken);
    const { run, last, why } = this.#beginning;
    await store.put(runObject(run.run), encodeRun(run), this.#pass);
    await this.#assertNewest(run.run);
    const opened = await this.#openRun(run, last);
    this.#beginning = undefined;
    if (why !== undefined) onGeneration(run.run, why);
    return opened;
  }

  async #decide(broken: string | undefined): Promise<Beginning> {
    const { source, store, now } = this.#options;
    const history = await source.history();
    const runs = await listRuns(store, this.#pass);
    const last = await findLastPosition(store, runs, this.#pass);
    const why = broken ?? (await this.#whyNot(last, history));
    const name = newRun(runs.at(-1));
    const time = Math.max(now(), last?.time ?? 0);
    const shared = { run: name, history, time, by: source.place };
    if (last === undefined || why !== undefined)
      return { run: { ...shared, generation: name, continues: undefined }, last, why };
    const continues = { run: last.run, lsn: last.position.lsn };
    return { run: { ...shared, generation: last.generation, continues }, last, why };
  }

  async #whyNot(last: LastPosition | undefined, history: LogHistory): Promise<string | undefined> {
    if (last === undefined) return "nothing was shipped before";
    const { position, history: before, run } = last;
    const { lsn } = position;
    if (!history.includes({ id: before.id, lsn }))
      return `the log ${history.id} does not continue LSN ${lsn} of the log ${before.id}, which run ${run} shipped`;
    // All logs with this id are the same before their first record.
    if (lsn === 0 || (await this.#options.source.has(position))) return undefined;
    return `the log does not have the record with LSN ${lsn} that run ${run} shipped last: the record was lost, was dropped after a flush, or was replaced by another one`;
  }

  async #openRun(
    { run, generation, history, time, continues }: Run,
    last: LastPosition | undefined,
  ): Promise<OpenRun> {
    const { store, source } = this.#options;
    const newest = last?.newestBase;
    const base = newest && (await readBase(store, newest.name, this.#pass));
    const isContinued = last !== undefined && continues !== undefined;
    const opened: OpenRun = {
      run,
      generation,
      logId: history.id,
      position: isContinued ? last.position : { lsn: 0, sequence: 0, recordCrc: undefined },
      time,
      base: isContinued ? base && { lsn: base.covered.lsn, tables: base.tables } : undefined,
      stored: base?.tables ?? [],
      bytesSinceBase: 0,
      chunksSinceBase: 0,
      bytesSinceRelease: 0,
    };
    await source.release(opened.position.lsn);
    // A generation begins with the state of the tables. From now on the source keeps the log after them.
    if (!isContinued) await this.#putBase(opened, "begins a generation");
    return opened;
  }

  async #shipLog(run: OpenRun): Promise<void> {
    const { source, store, now } = this.#options;
    for (let isFirst = true; ; isFirst = false) {
      if (this.#pending === undefined) {
        const chunk = await source.read(run.position, CHUNK_BYTES);
        if (chunk === undefined) return;
        const time = Math.max(now(), run.time);
        const { firstLsn, lastLsn } = chunk;
        this.#pending = {
          name: chunkObject({ run: run.run, firstLsn, lastLsn, time }),
          bytes: encodeChunk(chunk, time),
          position: { lsn: lastLsn, sequence: chunk.lastSequence, recordCrc: chunk.lastCrc },
          time,
        };
      }
      if (isFirst) await this.#assertNewest(run.run);
      const { name, bytes, position, time } = this.#pending;
      await store.put(name, bytes, this.#pass);
      this.#pending = undefined;
      run.position = position;
      run.time = time;
      run.bytesSinceBase += bytes.length;
      run.bytesSinceRelease += bytes.length;
      run.chunksSinceBase++;
    }
  }

  #isBaseDue(run: OpenRun): boolean {
    const { baseBytes, baseChunks } = this.#options;
    return run.base === undefined || run.bytesSinceBase >= baseBytes || run.chunksSinceBase >= baseChunks;
  }

  async #makeBase(run: OpenRun): Promise<void> {
    const { source } = this.#options;
    await source.flush();
    await this.#assertNewest(run.run);
    if (!(await this.#putBase(run, "follows the log"))) return;
    await this.#release(run);
    const { store, keepMs, now } = this.#options;
    await removeExpired(store, { before: now() - keepMs, run: run.run, signal: this.#options.signal });
  }

  /** Stores a base. False if the tables have nothing new, or records that were not shipped yet. Then the next call tries again. */
  async #putBase(run: OpenRun, how: "begins a generation" | "follows the log"): Promise<boolean> {
    const { source, store, now, signal, onBase } = this.#options;
    const history = await source.history();
    const snapshot = source.tables();
    try {
      const { covered, state } = snapshot;
      if (how === "follows the log" && (covered.lsn > run.position.lsn || covered.lsn === run.base?.lsn))
        return false;
      const tables = await shipTables(snapshot, store, {
        folder: tableFolder(run.run),
        stored: run.stored,
        signal,
        onTable: (table) => {
          run.stored = [...run.stored, table];
        },
      });
      const time = Math.max(now(), run.time);
      const base: Base = { covered, history, nextTableId: state.nextTableId, tables, time, epoch: 0 };
      await store.put(copyObject({ run: run.run, lsn: covered.lsn, time }), encodeBase(base), this.#pass);
      if (how === "begins a generation") run.position = { ...covered, recordCrc: undefined };
      run.time = time;
      run.base = { lsn: covered.lsn, tables };
      run.stored = tables;
      run.bytesSinceBase = 0;
      run.chunksSinceBase = 0;
      onBase(covered.lsn);
      return true;
    } finally {
      snapshot.release();
    }
  }

  async #release(run: OpenRun): Promise<void> {
    await this.#options.source.release(run.position.lsn);
    run.bytesSinceRelease = 0;
  }

  /** Checks that this run is the newest. A run that is not the newest never ships again. */
  async #assertNewest(run: string): Promise<void> {
    const { store } = this.#options;
    const newest = (await listRuns(store, this.#pass)).at(-1);
    if (newest === run) return;
    if (newest === undefined || runNumber(newest) < runNumber(run))
      throw new KayaError(
        "KAYA_CORRUPTION",
        `the object ${runObject(run)} in ${store.name} was removed by another program`,
      );
    const other = await readRun(store, newest, this.#pass);
    throw new KayaError(
      "KAYA_FENCED",
      `another process began to replicate into ${store.name}: ${other.by}. This process has stopped, and has shipped nothing since then. Only one process may ship into a place: give each a prefix of its own.`,
    );
  }
}
