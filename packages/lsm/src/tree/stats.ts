import type { KayaError, LogPosition } from "@kaya/core";
import type { BlockCache, BlockCacheStats } from "../cache/block-cache.js";
import { pendingBytes, type ShapeOptions, spaceAmplification } from "../compaction/shape.js";
import type { Version } from "../version/version.js";
import type { VersionSet } from "../version/version-set.js";

/** The tables of one level. */
export interface LevelStats {
  /** The number of the level; 0 has the newest tables. */
  readonly level: number;
  /** How many tables it has. */
  readonly tables: number;
  /** Bytes of the tables' files. */
  readonly bytes: number;
  /** How many entries it has, tombstones included; a key counts once for each table that has it. */
  readonly entries: number;
  /** How many of its entries delete their key. */
  readonly tombstones: number;
  /** Entries that expire, or have expired and are still there. */
  readonly expiring: number;
  /** How many range tombstones it has. */
  readonly rangeTombstones: number;
}

/** The tables of a tree, their cache, and what was done with them since the opening. */
export interface LsmStats {
  /** The position of the log's last record that is in the tables. */
  readonly covered: LogPosition;
  /** The levels that have tables. */
  readonly levels: readonly LevelStats[];
  /** How many tables there are. */
  readonly tables: number;
  /** Bytes of their files. */
  readonly bytes: number;
  /** Files that are not removed yet: open snapshots see them, or removing them failed. */
  readonly obsoleteFiles: number;
  /** The cache that the tables use. */
  readonly cache: BlockCacheStats;
  /** How many flushes have ended well since the opening. */
  readonly flushes: number;
  /** Bytes that flushes have written since the opening. */
  readonly flushedBytes: number;
  /** How many compactions have ended well since the opening, by what they did. */
  readonly compactions: {
    /** Compactions that removed tables unread. */
    readonly drops: number;
    /** Compactions that put a table into another level as it was. */
    readonly moves: number;
    /** Compactions that wrote tables anew. */
    readonly merges: number;
  };
  /** Bytes that compactions have read since the opening. */
  readonly compactionReadBytes: number;
  /** Bytes that compactions have written since the opening. */
  readonly compactionWrittenBytes: number;
  /** What was written for each byte that was flushed, since the opening; undefined before the first flush. */
  readonly writeAmplification: number | undefined;
  /**
   * Bytes of all tables over those of the largest sorted run, which is a table of level 0 or a deeper level: at most that much is on
   * the disk for each live byte, nearly. Undefined without tables.
   */
  readonly spaceAmplification: number | undefined;
  /** Bytes that compaction has to move down now until each level has what it should have. */
  readonly compactionPendingBytes: number;
  /** How many flushes had to wait for a compaction since the opening. */
  readonly stalls: number;
  /** How long flushes have waited for compactions since the opening, in milliseconds. */
  readonly stalledMs: number;
  /** True while a compaction runs. */
  readonly isCompacting: boolean;
  /** Why the last compaction failed; undefined where it did not. It is tried again after the next flush. */
  readonly compactionFailure: KayaError | undefined;
}

/** The counters of a tree. */
export class Counters {
  flushes = 0;
  flushedBytes = 0;
  drops = 0;
  moves = 0;
  merges = 0;
  readBytes = 0;
  writtenBytes = 0;
  stalls = 0;
  stalledMs = 0;
}

export function levelStats({ levels }: Version): LevelStats[] {
  return levels.flatMap((tables, level) => {
    if (tables.length === 0) return [];
    const stats = {
      level,
      tables: tables.length,
      bytes: 0,
      entries: 0,
      tombstones: 0,
      expiring: 0,
      rangeTombstones: 0,
    };
    for (const { meta, expiry } of tables) {
      stats.bytes += meta.fileBytes;
      stats.entries += meta.entries;
      stats.tombstones += meta.tombstones;
      stats.expiring += expiry?.entries ?? 0;
      stats.rangeTombstones += meta.rangeTombstones;
    }
    return [stats];
  });
}

/** @param compactor absent where nothing is compacted */
export function statsOf(
  versions: Pick<VersionSet, "current" | "covered" | "obsolete">,
  cache: BlockCache,
  counters: Counters,
  shape: ShapeOptions,
  compactor?: { readonly isRunning: boolean; readonly failure: KayaError | undefined },
): LsmStats {
  const levels = levelStats(versions.current);
  const bytes = levels.reduce((sum, level) => sum + level.bytes, 0);
  const { drops, moves, merges, flushedBytes, writtenBytes } = counters;
  return {
    covered: versions.covered,
    levels,
    tables: levels.reduce((sum, level) => sum + level.tables, 0),
    bytes,
    obsoleteFiles: versions.obsolete.files,
    cache: cache.stats,
    flushes: counters.flushes,
    flushedBytes,
    compactions: { drops, moves, merges },
    compactionReadBytes: counters.readBytes,
    compactionWrittenBytes: writtenBytes,
    writeAmplification: flushedBytes === 0 ? undefined : (flushedBytes + writtenBytes) / flushedBytes,
    spaceAmplification: spaceAmplification(versions.current.levels),
    compactionPendingBytes: pendingBytes(versions.current.levels, shape),
    stalls: counters.stalls,
    stalledMs: counters.stalledMs,
    isCompacting: compactor?.isRunning ?? false,
    compactionFailure: compactor?.failure,
  };
}
