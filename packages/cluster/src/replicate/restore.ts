import {
  checkCallback,
  describe,
  KayaError,
  type LogPosition,
  type Lsn,
  type PartialEngineConfig,
  readOptions,
  resolveEngineConfig,
  throwIfAborted,
} from "@kaya/core";
import type { Disk } from "@kaya/io";
import { checkedLogId, randomLogId } from "@kaya/wal";
import type { BlobStore } from "../blob-store.js";
import { type Base, readBase } from "../shipment/base-object.js";
import { NewDirectory } from "../shipment/new-directory.js";
import { damagedObject } from "../shipment/sealed-object.js";
import { type ChainedRun, type Generation, readCatalog } from "./catalog.js";
import { readChunk } from "./log-chunk.js";
import type { CopyName } from "./replica-names.js";

/** Where the restored store goes, and which state it has. */
export interface RestoreOptions {
  /** A directory that is absent or empty, or in which a restore was killed: it begins again there. Give it, or `disk`. */
  readonly dataDir?: string;
  /** Written to instead of a real directory. */
  readonly disk?: Disk;
  /** Log sequence number of the last record that is wanted. Default: the newest. */
  readonly lsn?: Lsn;
  /**
   * The newest state that had been shipped at this moment: milliseconds since 1970, or a Date; by the clock of the machine that shipped. Give it
   * instead of `lsn`.
   */
  readonly time?: number | Date;
  /** The history to restore from, as `listRestorable` names it. Default: the newest one that has the LSN or the time. */
  readonly generation?: string;
  /** The configuration with which the store is opened later: it gives the sizes of segments and records. Default: all defaults. */
  readonly config?: PartialEngineConfig;
  /** Ends it: it rejects with the signal's reason and removes what it made. */
  readonly signal?: AbortSignal;
  /** Called as the restore goes on. */
  readonly onProgress?: (progress: RestoreProgress) => void;
}

/** The progress of a restore. */
export interface RestoreProgress {
  /** Bytes of tables that were loaded. */
  readonly tableBytes: number;
  /** Bytes of all tables that are needed. */
  readonly totalTableBytes: number;
  /** Log sequence number of the last record so far. */
  readonly lsn: Lsn;
  /** That of the last record that is wanted. */
  readonly targetLsn: Lsn;
}

/** The restored state. */
export interface RestoreResult extends LogPosition {
  /** When the last of it was shipped, in milliseconds since 1970. */
  readonly time: number;
  /** The history that it is from. */
  readonly generation: string;
  /** The position of the tables that it began with. */
  readonly base: LogPosition;
  /** How many records of the log were added to them. */
  readonly recordCount: number;
  /** How many tables it has. */
  readonly tables: number;
  /** Bytes of its tables. */
  readonly bytes: number;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
}

/** A history without a gap that can be restored to any of its records. */
export interface RestorableGeneration {
  /** The name of the history: that of its first run. */
  readonly generation: string;
  /** The process that shipped it last: host, process id and directory. */
  readonly by: string;
  /** The first state that can be restored. */
  readonly first: {
    /** Log sequence number of its last record. */
    readonly lsn: Lsn;
    /** When it was shipped, in milliseconds since 1970. */
    readonly time: number;
  };
  /** The last state that can be restored. */
  readonly last: {
    /** Log sequence number of its last record. */
    readonly lsn: Lsn;
    /** When it was shipped, in milliseconds since 1970. */
    readonly time: number;
  };
  /** How many bases it has. */
  readonly bases: number;
}

const OPTIONS = ["dataDir", "disk", "lsn", "time", "generation", "config", "signal", "onProgress"];

/**
 * Builds a data directory of a replica that `replicate` shipped: with the newest state, or that of an LSN or a time. It has a prefix of the
 * acknowledged history; batches are whole. When it resolves, all data was verified, was read back, and is durable. The new store goes on at
 * `lsn + 1`, under a log id of its own; tokens of the change feed up to `lsn` stay good.
 *
 * Writes that were acknowledged and not shipped yet are not in it: `lag` of the replication told how many there were.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT if the directory is not empty, or the store never had that LSN, time or generation (the message says what it has);
 *   KAYA_CORRUPTION with object and offset if an object is damaged or missing; KAYA_NOT_FOUND if nothing was shipped, or an object was
 *   removed meanwhile; KAYA_UNSUPPORTED_VERSION, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED; or the signal's reason. Then what the
 *   call made is removed again, the directory too
 */
export async function restore(store: BlobStore, options: RestoreOptions): Promise<RestoreResult> {
  const started = performance.now();
  const { into, config, signal, onProgress, wanted } = readRestoreOptions(options);
  throwIfAborted(signal);
  const target = findTarget(await catalogOf(store, signal), wanted, store.name);
  const { generation, copy, lsn } = target;
  const base = await readBase(store, copy.name, { ...(signal && { signal }) });
  const { history } = (generation.chain.at(-1) as ChainedRun).run;
  const resolved = resolveEngineConfig(config);
  const totalTableBytes = base.tables.reduce((sum, { meta }) => sum + meta.fileBytes, 0);
  let tableBytes = 0;
  const tell = (reached: Lsn) => onProgress?.({ tableBytes, totalTableBytes, lsn: reached, targetLsn: lsn });
  const restored = await NewDirectory.fill(
    into,
    { what: "a restored store", config: resolved },
    async (directory) => {
      await directory.addTables(base, store, {
        ...(signal && { signal }),
        onBytes: (more) => {
          tableBytes += more;
          tell(base.covered.lsn);
        },
      });
      const replay = new Replay(store, target, base, signal);
      for await (const records of replay.run()) {
        await directory.addRecords(records);
        tell(replay.position.lsn);
      }
      throwIfAborted(signal);
      const { position, time } = replay;
      // What comes behind this record is another history than what came behind it before.
      await directory.finish(base, history.cutBehind(lsn, checkedLogId(randomLogId)), position);
      return { ...position, time };
    },
  );
  return {
    ...restored,
    generation: generation.generation,
    base: base.covered,
    recordCount: lsn - base.covered.lsn,
    tables: base.tables.length,
    bytes: totalTableBytes,
    durationMs: performance.now() - started,
  };
}

/**
 * The histories that can be restored, oldest first. A history begins each time that replication cannot go on where it was.
 *
 * @throws KayaError KAYA_NOT_FOUND if nothing was shipped; KAYA_CORRUPTION with object and offset; KAYA_IO
 */
export async function listRestorable(
  store: BlobStore,
  options: { readonly signal?: AbortSignal } = {},
): Promise<readonly RestorableGeneration[]> {
  return (await catalogOf(store, options.signal)).map(({ generation, by, copies, lastLsn, lastTime }) => {
    const { lsn, time } = copies[0] as CopyName;
    return {
      generation,
      by,
      first: { lsn, time },
      last: { lsn: lastLsn, time: lastTime },
      bases: copies.length,
    };
  });
}

interface Wanted {
  readonly lsn: Lsn | undefined;
  readonly time: number | undefined;
  readonly generation: string | undefined;
}

interface Target {
  readonly generation: Generation;
  /** The base that it begins with. */
  readonly copy: CopyName;
  readonly lsn: Lsn;
}

async function catalogOf(store: BlobStore, signal: AbortSignal | undefined): Promise<readonly Generation[]> {
  const generations = await readCatalog(store, { ...(signal && { signal }) });
  if (generations.length > 0) return generations;
  throw new KayaError("KAYA_NOT_FOUND", `${store.name} has no replica: nothing was shipped there`);
}

/** @param generations oldest first */
function findTarget(all: readonly Generation[], wanted: Wanted, store: string): Target {
  const generations = all.filter(({ generation }) => generation === (wanted.generation ?? generation));
  if (generations.length === 0)
    throw invalid(
      `${store} has no generation ${wanted.generation}: it has ${all.map(({ generation }) => generation).join(", ")}. Nothing was changed.`,
    );
  for (const generation of [...generations].reverse()) {
    const lsn = lsnIn(generation, wanted);
    const copy = generation.copies.filter((each) => each.lsn <= (lsn ?? -1)).at(-1);
    if (lsn !== undefined && lsn <= generation.lastLsn && copy !== undefined)
      return { generation, copy, lsn };
  }
  const has = generations.map(({ copies, lastLsn, lastTime }) => {
    const { lsn, time } = copies[0] as CopyName;
    return `LSN ${lsn} to ${lastLsn} (shipped ${new Date(time).toISOString()} to ${new Date(lastTime).toISOString()})`;
  });
  const what = wanted.lsn === undefined ? new Date(wanted.time ?? 0).toISOString() : `LSN ${wanted.lsn}`;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${what} cannot be restored: ${store} has ${has.join("; ")}. Nothing was changed.`,
  );
}

/** The record that is wanted, if this generation can have it. */
function lsnIn({ copies, chain, lastLsn }: Generation, { lsn, time }: Wanted): Lsn | undefined {
  if (lsn !== undefined) return lsn;
  if (time === undefined) return lastLsn;
  const lsns = [
    ...copies.filter((copy) => copy.time <= time).map((copy) => copy.lsn),
    ...chain.flatMap(({ chunks, limit }) =>
      chunks.filter((chunk) => chunk.time <= time).map((chunk) => Math.min(chunk.lastLsn, limit)),
    ),
  ];
  const hasBegun = (copies[0] as CopyName).time <= time;
  return hasBegun ? Math.max(...lsns) : undefined;
}

/** The records between a base and the one that is wanted. */
class Replay {
  readonly #store: BlobStore;
  readonly #target: Target;
  readonly #signal: AbortSignal | undefined;
  position: LogPosition;
  time: number;

  constructor(store: BlobStore, target: Target, base: Base, signal: AbortSignal | undefined) {
    this.#store = store;
    this.#target = target;
    this.#signal = signal;
    this.position = base.covered;
    this.time = base.time;
  }

  async *run(): AsyncGenerator<Uint8Array, void> {
    const { generation, lsn } = this.#target;
    for (const chained of generation.chain) yield* this.#ofRun(chained);
    if (this.position.lsn < lsn) throw this.#missing(lsn, generation.chain.at(-1)?.run.run ?? "");
  }

  async *#ofRun({ run, chunks, limit }: ChainedRun): AsyncGenerator<Uint8Array, void> {
    const end = Math.min(limit, this.#target.lsn);
    for (const chunk of chunks) {
      if (this.position.lsn >= end) return;
      if (chunk.lastLsn <= this.position.lsn) continue;
      if (chunk.firstLsn > this.position.lsn + 1) throw this.#missing(chunk.firstLsn - 1, run.run);
      const { records } = await readChunk(this.#store, chunk, {
        ...(this.#signal && { signal: this.#signal }),
      });
      const wanted = records.filter((record) => record.lsn > this.position.lsn && record.lsn <= end);
      const last = wanted.at(-1);
      if (last === undefined) continue;
      this.position = { lsn: last.lsn, sequence: last.lastSequence };
      this.time = Math.max(this.time, chunk.time);
      yield Buffer.concat(wanted.map(({ bytes }) => bytes));
    }
    if (this.position.lsn < end && limit < Number.MAX_SAFE_INTEGER) throw this.#missing(end, run.run);
  }

  #missing(through: Lsn, run: string): KayaError {
    const first = this.position.lsn + 1;
    return damagedObject(
      this.#store.name,
      `log/${run}/${String(first).padStart(16, "0")}-…`,
      0,
      `it is missing: no object has the records with LSN ${first} to ${through}`,
    );
  }
}

function readRestoreOptions(given: RestoreOptions): {
  readonly into: string | Disk;
  readonly config: PartialEngineConfig | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: RestoreOptions["onProgress"];
  readonly wanted: Wanted;
} {
  const options = readOptions(given, OPTIONS, "the options of restore");
  const { dataDir, disk, lsn, time, generation, config, signal, onProgress } = options;
  const into = disk ?? dataDir;
  if (into === undefined || (disk !== undefined && dataDir !== undefined))
    throw invalid("restore needs dataDir or disk, and not both");
  checkCallback(onProgress, "onProgress");
  if (lsn !== undefined && time !== undefined) throw invalid("give lsn or time, not both");
  if (lsn !== undefined && !(Number.isSafeInteger(lsn) && lsn >= 0))
    throw invalid(`lsn must be a whole number >= 0, not ${describe(lsn)}`);
  if (generation !== undefined && typeof generation !== "string")
    throw invalid(`generation must be a text that listRestorable gives, not ${describe(generation)}`);
  const at = time instanceof Date ? time.getTime() : time;
  if (at !== undefined && !(typeof at === "number" && Number.isFinite(at)))
    throw invalid(`time must be milliseconds since 1970 or a Date, not ${describe(time)}`);
  return { into, config, signal, onProgress, wanted: { lsn, time: at, generation } };
}

function invalid(message: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", message);
}
