import type { Engine, EngineStats } from "@kaya/engine";
import type { DirectoryLook } from "../look/directory-watch.js";
import type { Look } from "./api.js";
import { type Latencies, latencyOf } from "./latencies.js";

type Rates = Pick<Look["log"], "recordsPerSecond" | "bytesPerSecond">;
type Level = Look["levels"][number];

const NO_TABLES: Level = { tables: 0, bytes: 0, entries: 0 };

/** The durations of this process's own reads and writes. */
export interface OwnLatencies {
  readonly gets: Latencies;
  readonly writes: Latencies;
}

/** The looks at an engine that this process writes with. */
export class EngineLooks {
  readonly #engine: Engine;
  readonly #latencies: OwnLatencies;
  #before: { readonly at: number; readonly lastLsn: number; readonly bytes: number } | undefined;

  constructor(engine: Engine, latencies: OwnLatencies) {
    this.#engine = engine;
    this.#latencies = latencies;
  }

  look(): Look {
    const stats = this.#engine.stats();
    const { wal, flush, tables } = stats;
    const fsync = latencyOf(wal.fsyncs.count, wal.fsyncs.durationMs);
    const write = this.#latencies.writes.sum;
    const { drops, moves, merges } = tables.compactions;
    return {
      at: Date.now(),
      entries: stats.entries,
      lastLsn: stats.lastLsn,
      log: {
        segments: wal.segments,
        bytes: wal.bytes,
        coveredLsn: tables.covered.lsn,
        ...this.#rates(stats),
      },
      levels: allLevels(tables.levels),
      ...memoryOf(stats),
      latency: {
        ...getOf(this.#latencies),
        ...(fsync !== undefined && { fsync }),
        ...(write !== undefined && { write }),
      },
      flush: { isRunning: flush.isRunning, finished: flush.finished },
      compaction: { isRunning: tables.isCompacting, finished: drops + moves + merges },
    };
  }

  #rates({ lastLsn, wal: { commits } }: EngineStats): Rates {
    const now = { at: performance.now(), lastLsn, bytes: commits.count * commits.bytes.mean };
    const before = this.#before;
    this.#before = now;
    const seconds = before === undefined ? 0 : (now.at - before.at) / 1000;
    if (before === undefined || seconds <= 0) return {};
    return {
      recordsPerSecond: Math.round((lastLsn - before.lastLsn) / seconds),
      bytesPerSecond: Math.round((now.bytes - before.bytes) / seconds),
    };
  }
}

/** The look at a directory that is only read: the files tell of the log and the tables, the engine of its own memory. */
export function lookFromOutside(look: DirectoryLook, stats: EngineStats, latencies: OwnLatencies): Look {
  const { wal, tables, perSecond } = look;
  return {
    at: Date.now(),
    entries: stats.entries,
    lastLsn: look.lastLsn,
    log: {
      ...wal,
      coveredLsn: tables.coveredLsn,
      ...(perSecond !== undefined && {
        recordsPerSecond: perSecond.records,
        bytesPerSecond: perSecond.walBytes,
      }),
    },
    levels: allLevels(tables.levels),
    ...memoryOf(stats),
    latency: getOf(latencies),
    flush: { isRunning: false, finished: 0 },
    compaction: { isRunning: false, finished: 0 },
  };
}

function memoryOf({ memtable, tables: { cache } }: EngineStats): Pick<Look, "memtable" | "cache"> {
  const { bytes, limitBytes, entries } = memtable;
  return {
    memtable: { bytes, limitBytes, entries },
    cache: {
      bytes: cache.bytes,
      capacityBytes: cache.capacityBytes,
      hits: cache.hits,
      misses: cache.misses,
    },
  };
}

function getOf({ gets }: OwnLatencies): Pick<Look["latency"], "get"> {
  const get = gets.sum;
  return get === undefined ? {} : { get };
}

/** Also those without tables, so that the index of a level is its number. */
function allLevels(found: readonly (Level & { readonly level: number })[]): Level[] {
  const levels: Level[] = Array.from({ length: (found.at(-1)?.level ?? -1) + 1 }, () => NO_TABLES);
  for (const { level, tables, bytes, entries } of found) levels[level] = { tables, bytes, entries };
  return levels;
}
