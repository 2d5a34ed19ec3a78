import { compareBytes } from "../bytes.js";
import { EVERYTHING, type Extent, hull, overlap, overlapping } from "../version/extent.js";
import { type DroppedTable, findDrops } from "./drops.js";
import { pickExpired } from "./expired.js";
import {
  averageEntryBytes,
  bytesOf,
  LAST_LEVEL,
  levelBelow,
  type PickLevels,
  type PickTable,
  type Shape,
  type ShapeOptions,
  shapeOf,
  weigh,
} from "./shape.js";

/** The next compaction. */
export type Pick<T extends PickTable = PickTable> =
  | { readonly kind: "drop"; readonly tables: readonly DroppedTable[] }
  | { readonly kind: "move"; readonly table: T; readonly from: number; readonly to: number }
  | MergePick<T>;

export interface MergePick<T extends PickTable = PickTable> {
  readonly kind: "merge";
  /** Of these levels, these tables; the newest of level 0 first. */
  readonly inputs: readonly { readonly level: number; readonly tables: readonly T[] }[];
  /** Where the outputs go. */
  readonly to: number;
}

export interface PickOptions extends ShapeOptions {
  /** While nothing else wants the disk: largest share of the last level that obsolete data should take. */
  readonly quietRatio?: number;
}

/** A merge whose input is half expired is worth it at any time. */
const EXPIRED_RATIO = 0.5;

/** By level, the end of the last merge out of it: the next one begins there. */
export type Progress = readonly (Uint8Array | undefined)[];

/**
 * Chooses the next compaction; undefined if the tables have the right shape and little has expired. A pure function.
 * @param now milliseconds since 1970
 */
export function pickCompaction<T extends PickTable>(
  levels: PickLevels<T>,
  options: PickOptions,
  progress: Progress = [],
  now = 0,
): Pick<T> | undefined {
  const drops = findDrops(levels, now);
  if (drops.length > 0) return { kind: "drop", tables: drops };
  const shape = shapeOf(levels, options);
  const level = fullestLevel(levels, shape, options);
  if (level !== undefined) return pickFrom(levels, level, shape, options, progress[level]);
  const [level0 = []] = levels;
  const ofLevel0 = level0.length === 0 ? undefined : mergeOf(levels, 0, level0, levelBelow(levels, 0, shape));
  return pickExpired(levels, options.quietRatio ?? EXPIRED_RATIO, now, ofLevel0);
}

/** The level that exceeds its target most. */
function fullestLevel(levels: PickLevels, shape: Shape, options: PickOptions): number | undefined {
  const entryBytes = averageEntryBytes(levels);
  let [fullest, highest] = [undefined as number | undefined, 1];
  for (const [level, tables] of levels.entries()) {
    if (tables.length === 0 || level === LAST_LEVEL) continue;
    const target = shape.targets[level] ?? 0;
    const score =
      level === 0
        ? tables.length / options.level0Tables
        : target === 0
          ? Number.POSITIVE_INFINITY
          : weigh(tables, entryBytes) / target;
    if (score < highest || (score === highest && fullest !== undefined)) continue;
    [fullest, highest] = [level, score];
  }
  return fullest ?? (hasTooMuchAbove(levels, options) ? highestWithTables(levels) : undefined);
}

function hasTooMuchAbove(levels: PickLevels, { quietRatio, tableBytes }: PickOptions): boolean {
  if (quietRatio === undefined) return false;
  const above = levels.slice(0, LAST_LEVEL).reduce((sum, tables) => sum + bytesOf(tables), 0);
  return above > Math.max(tableBytes, quietRatio * bytesOf(levels[LAST_LEVEL] ?? []));
}

function highestWithTables(levels: PickLevels): number | undefined {
  const level = levels.findIndex((tables) => tables.length > 0);
  return level === -1 || level === LAST_LEVEL ? undefined : level;
}

/** Moves tables from a level to the one below it. */
export function pickFrom<T extends PickTable>(
  levels: PickLevels<T>,
  level: number,
  shape: Shape,
  options: ShapeOptions,
  from: Uint8Array | undefined,
): Pick<T> | undefined {
  const tables = levels[level] ?? [];
  const to = levelBelow(levels, level, shape);
  const candidate = level === 0 ? tables.at(-1) : (tables.find((table) => isFrom(table, from)) ?? tables[0]);
  if (candidate === undefined) return undefined;
  if (canMove(levels, level, to, candidate, options))
    return { kind: "move", table: candidate, from: level, to };
  return mergeOf(levels, level, level === 0 ? tables : [candidate], to);
}

/** The merge that brings `tables` of a level into level `to`. */
export function mergeOf<T extends PickTable>(
  levels: PickLevels<T>,
  level: number,
  tables: readonly T[],
  to: number,
): MergePick<T> {
  const below = overlapping(levels[to] ?? [], hull(tables));
  const inputs = [
    { level, tables },
    { level: to, tables: below },
  ].filter((input) => input.tables.length > 0);
  return { kind: "merge", inputs, to };
}

function isFrom(table: PickTable, from: Uint8Array | undefined): boolean {
  return from === undefined || compareBytes(table.start, from) >= 0;
}

/**
 * A table that overlaps nothing down to its new level is moved. It is rewritten if it has tombstones with nothing older below, which then
 * go, or if it is a small one of level 0: else tiny tables would pile up.
 */
function canMove(
  levels: PickLevels,
  level: number,
  to: number,
  table: PickTable,
  { tableBytes }: ShapeOptions,
): boolean {
  if (level === 0 && table.meta.fileBytes * 4 < tableBytes) return false;
  for (let below = level + 1; below <= to; below++) {
    if (overlapping(levels[below] ?? [], table).length > 0) return false;
  }
  const hasTombstones = table.meta.tombstones + table.meta.rangeTombstones > 0;
  return !hasTombstones || levels.slice(to + 1).some((tables) => overlapping(tables, table).length > 0);
}

/** The extents of tables that may hold older entries than those of a merge, sorted and disjoint. */
export function olderBelow(levels: PickLevels, to: number, extent: Extent = EVERYTHING): Extent[] {
  const extents = levels
    .slice(to + 1)
    .flatMap((tables) => overlapping(tables, extent))
    .sort((a, b) => compareBytes(a.start, b.start));
  const joined: Extent[] = [];
  for (const next of extents) {
    const last = joined.at(-1);
    if (last !== undefined && (overlap(last, next) || touches(last, next)))
      joined[joined.length - 1] = hull([last, next]);
    else joined.push({ start: next.start, end: next.end });
  }
  return joined;
}

function touches(a: Extent, b: Extent): boolean {
  return a.end !== undefined && compareBytes(a.end, b.start) === 0;
}
