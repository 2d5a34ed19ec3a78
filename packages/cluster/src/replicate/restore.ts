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
import { checkBlobStore } from "../blob/check-blob-store.js";
import type { BlobStore } from "../blob-store.js";
import { type Base, readBase } from "../shipment/base-object.js";
import { NewDirectory } from "../shipment/new-directory.js";
import { damagedObject } from "../shipment/sealed-object.js";
import { type ChainedRun, type Generation, readCatalog } from "./catalog.js";
import { readChunk } from "./log-chunk.js";
import type { CopyName } from "./replica-names.js";

/** The target of a restore, and the state to restore. */
export interface RestoreOptions {
  /** A directory that is absent or empty, or in which a restore was killed: the restore then begins again. Give it, or `disk`. */
  readonly dataDir?: string;
  /** A disk to write to instead of a real directory. */
  readonly disk?: Disk;
  /** Log sequence number of the last record to restore. Default: the newest. */
  readonly lsn?: Lsn;
  /**
   * Restores the newest state that had been shipped at this moment, by the clock of the machine that shipped. Milliseconds since 1970, or a
   * Date. Give it instead of `lsn`.
   */
  readonly time?: number | Date;
  /** The history to restore from, as `listRestorable` names it. Default: the newest one that has the LSN or the time. */
  readonly generation?: string;
  /** The configuration with which the store is opened later. It gives the sizes of segments and records. Default: all defaults. */
  readonly config?: PartialEngineConfig;
  /** Aborts the restore: it rejects with the signal's reason, and removes the files that it made. */
  readonly signal?: AbortSignal;
  /** Called while the restore makes progress. */
  readonly onProgress?: (progress: RestoreProgress) => void;
}

/** The progress of a restore. */
export interface RestoreProgress {
  /** Bytes of the tables that were loaded so far. */
  readonly tableBytes: number;
  /** Bytes of all tables to load. */
  readonly totalTableBytes: number;
  /** Log sequence number of the last record so far. */
  readonly lsn: Lsn;
  /** Log sequence number of the last record to restore. */
  readonly targetLsn: Lsn;
}

/** The restored state. */
export interface RestoreResult extends LogPosition {
  /** When its last object was shipped, in milliseconds since 1970. */
  readonly time: number;
  /** The name of the history that it comes from. */
  readonly generation: string;
  /** The position of the base: its tables were loaded first. */
  readonly base: LogPosition;
  /** The number of records of the log that were added after the base. */
  readonly recordCount: number;
  /** The number of its tables. */
  readonly tables: number;
  /** Bytes of its tables. */
  readonly bytes: number;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
}

/** A history without a gap. Any record from its first to its last can be restored. */
export interface RestorableGeneration {
  /** The name of the history: the name of its first run. */
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
  /** The number of its bases. */
  readonly bases: number;
}

const OPTIONS = ["dataDir", "disk", "lsn", "time", "generation", "config", "signal", "onProgress"];

/**
 * Builds a data directory from a replica that `replicate` shipped: the newest state, or that of an LSN or a time. The directory has a
 * prefix of the acknowledged history; batches are whole. When the call resolves, all data was verified, was read back, and is durable. The
 * new store continues at `lsn + 1`, under a log id of its own. Tokens of the change feed up to `lsn` stay valid.
 *
 * Writes that were acknowledged but not shipped are not restored: `lag` of the replication showed how many there were.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT if the directory is not empty, or the replica does not have that LSN, time or generation (the
 *   message tells what it has); KAYA_CORRUPTION with object and offset if an object is damaged or missing; KAYA_NOT_FOUND if nothing was
 *   shipped, or an object was removed during the restore; KAYA_UNSUPPORTED_VERSION, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED; or the
 *   signal's reason. If the call rejects, it removes the files and directories that it made
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
      // The new store gets another log id, because its records after this one differ from those of the original log.
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
 * The histories that can be restored, oldest first. A new history begins each time that a replication cannot continue the previous one.
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
  /** The base that the restore begins with. */
  readonly copy: CopyName;
  readonly lsn: Lsn;
}

async function catalogOf(store: BlobStore, signal: AbortSignal | undefined): Promise<readonly Generation[]> {
  checkBlobStore(store, "the store");
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

/** The LSN of the last record to restore, if this generation can have it. */
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

/** The records between the base and the last record to restore. */
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
    throw invalid(`generation must be a name that listRestorable returns, not ${describe(generation)}`);
  const at = time instanceof Date ? time.getTime() : time;
  if (at !== undefined && !(typeof at === "number" && Number.isFinite(at)))
    throw invalid(`time must be milliseconds since 1970 or a Date, not ${describe(time)}`);
  return { into, config, signal, onProgress, wanted: { lsn, time: at, generation } };
}

function invalid(message: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", message);
}
