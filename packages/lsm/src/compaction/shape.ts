import { LEVELS, type TableMeta } from "../manifest/manifest-state.js";
import type { Skyline } from "../merge/skyline.js";
import type { TableExpiry } from "../table/table-expiry.js";
import type { Extent } from "../version/extent.js";

/** A table as compaction looks at it. */
export interface PickTable extends Extent {
  readonly meta: TableMeta;
  readonly skyline: Skyline;
  /** When its entries expire; undefined where none does. */
  readonly expiry?: TableExpiry | undefined;
}

export type PickLevels<T extends PickTable = PickTable> = readonly (readonly T[])[];

export interface ShapeOptions {
  /** Level 0 is merged once it has so many tables. */
  readonly level0Tables: number;
  /** Bytes of a table that a merge writes, nearly. */
  readonly tableBytes: number;
  /** Most bytes of the first level below level 0. */
  readonly baseLevelBytes: number;
  /** How many times the bytes of a level the next one has. */
  readonly levelRatio: number;
}

export const LAST_LEVEL = LEVELS - 1;

/**
 * The target bytes of each level. The last level has most of the data; each one above has a fixed share of the next, up to the base level,
 * into which level 0 is merged. So obsolete data takes at most a ninth of the live data, whatever its size ("Optimizing Space Amplification
 * in RocksDB", CIDR 2017).
 */
export interface Shape {
  readonly baseLevel: number;
  /** By level; 0 above the base level, and for level 0. */
  readonly targets: readonly number[];
}

export function shapeOf(levels: PickLevels, { baseLevelBytes, levelRatio }: ShapeOptions): Shape {
  const targets = new Array<number>(LEVELS).fill(0);
  const largest = Math.max(...levels.slice(1).map(bytesOf));
  let level = LAST_LEVEL;
  let target = Math.max(largest, baseLevelBytes);
  targets[level] = target;
  while (level > 1 && target > baseLevelBytes) {
    level--;
    target /= levelRatio;
    targets[level] = target;
  }
  return { baseLevel: level, targets };
}

export function bytesOf(tables: readonly PickTable[]): number {
  return tables.reduce((sum, { meta }) => sum + meta.fileBytes, 0);
}

/** Bytes that compaction has to move down until each level is within its target, without those that the moves add below. */
export function pendingBytes(levels: PickLevels, options: ShapeOptions): number {
  const { targets } = shapeOf(levels, options);
  return levels.slice(0, LAST_LEVEL).reduce((sum, tables, level) => {
    if (level === 0) return tables.length < options.level0Tables ? 0 : bytesOf(tables);
    return sum + Math.max(0, bytesOf(tables) - (targets[level] as number));
  }, 0);
}

/**
 * Bytes of all tables over those of the largest sorted run (a table of level 0 or a deeper level). A run has each key once: so this bounds
 * the bytes on disk for each live byte, except for what its tombstones delete. Undefined without tables.
 */
export function spaceAmplification(levels: PickLevels): number | undefined {
  const runs = levels.flatMap((tables, level) =>
    level === 0 ? tables.map((table) => bytesOf([table])) : [bytesOf(tables)],
  );
  const largest = Math.max(0, ...runs);
  return largest === 0 ? undefined : runs.reduce((sum, bytes) => sum + bytes, 0) / largest;
}

/** A tombstone counts with the bytes that it will free: levels full of tombstones are merged sooner. */
export function weigh(tables: readonly PickTable[], averageEntryBytes: number): number {
  return tables.reduce((sum, { meta }) => sum + meta.fileBytes + meta.tombstones * averageEntryBytes, 0);
}

export function averageEntryBytes(levels: PickLevels): number {
  let [bytes, entries] = [0, 0];
  for (const { meta } of levels.flat()) {
    bytes += meta.fileBytes;
    entries += meta.entries;
  }
  return entries === 0 ? 0 : bytes / entries;
}

/** The level into which `level` is merged: the next one with tables, but not beyond the base level unless it begins there. */
export function levelBelow(levels: PickLevels, level: number, { baseLevel }: Shape): number {
  for (let below = level + 1; below < baseLevel; below++) {
    if ((levels[below]?.length ?? 0) > 0) return below;
  }
  return Math.max(level + 1, baseLevel);
}
