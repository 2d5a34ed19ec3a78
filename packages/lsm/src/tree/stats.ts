import type { KayaError, LogPosition } from "@kaya/core";
import type { BlockCacheStats } from "../cache/block-cache.js";
import type { Version } from "../version/version.js";

export interface LevelStats {
  readonly level: number;
  readonly tables: number;
  /** Of the files. */
  readonly bytes: number;
  /** Tombstones included; a key counts once for each table that has it. */
  readonly entries: number;
  readonly tombstones: number;
  readonly rangeTombstones: number;
}

export interface LsmStats {
  readonly covered: LogPosition;
  /** Those that have tables. */
  readonly levels: readonly LevelStats[];
  readonly tables: number;
  readonly bytes: number;
  /** Files that are not removed yet: open snapshots see them, or removing them failed. */
  readonly obsoleteFiles: number;
  readonly cache: BlockCacheStats;
  /** Since the opening. */
  readonly flushes: number;
  readonly flushedBytes: number;
  readonly compactions: { readonly drops: number; readonly moves: number; readonly merges: number };
  readonly compactionReadBytes: number;
  readonly compactionWrittenBytes: number;
  /** What was written for each byte that was flushed, since the opening; undefined before the first flush. */
  readonly writeAmplification: number | undefined;
  /** Bytes of all tables over those of the deepest level: at most that much is on the disk for each live byte, nearly. */
  readonly spaceAmplification: number | undefined;
  /** Flushes that had to wait for a compaction, since the opening. */
  readonly stalls: number;
  readonly stalledMs: number;
  readonly isCompacting: boolean;
  /** Why the last compaction failed; undefined where it did not. It is tried again after the next flush. */
  readonly compactionFailure: KayaError | undefined;
}

/** What a tree counts. */
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
    const stats = { level, tables: tables.length, bytes: 0, entries: 0, tombstones: 0, rangeTombstones: 0 };
    for (const { meta } of tables) {
      stats.bytes += meta.fileBytes;
      stats.entries += meta.entries;
      stats.tombstones += meta.tombstones;
      stats.rangeTombstones += meta.rangeTombstones;
    }
    return [stats];
  });
}
