import { overlap, overlapping } from "../version/extent.js";
import { hasNoValue } from "./expired.js";
import type { PickLevels, PickTable } from "./shape.js";

export interface DroppedTable {
  readonly level: number;
  readonly id: number;
}

/**
 * Tables that can be removed unread: those that newer range tombstones hide whole, and those with only tombstones and expired entries that
 * have nothing older below. Entries that such a table hides stay hidden by the newer tombstones, which cover all its keys.
 * @param now milliseconds since 1970
 */
export function findDrops(levels: PickLevels, now = 0): DroppedTable[] {
  const dropped = new Map<number, DroppedTable>();
  for (const [level, tables] of levels.entries()) {
    for (const [index, table] of tables.entries()) {
      const { meta, skyline } = table;
      const isEmpty = hasNoValue(table, now);
      if (skyline.isEmpty && !isEmpty) continue;
      const older = olderThan(levels, level, index);
      for (const { table: below, level: on } of older) {
        const { id, largestSequence } = below.meta;
        if (overlap(table, below) && skyline.hidesAll(below.start, below.end, largestSequence))
          dropped.set(id, { level: on, id });
      }
      const isInUse = older.some(({ table: below }) => overlap(table, below));
      if (isEmpty && !isInUse) dropped.set(meta.id, { level, id: meta.id });
    }
  }
  return [...dropped.values()];
}

/** Tables that may have older entries in the extent of one. */
function olderThan(
  levels: PickLevels,
  level: number,
  index: number,
): { readonly table: PickTable; readonly level: number }[] {
  const table = levels[level]?.[index] as PickTable; // callers name a table
  const rest = level === 0 ? (levels[0]?.slice(index + 1) ?? []) : [];
  return [
    ...rest.map((older) => ({ table: older, level: 0 })),
    ...levels.flatMap((tables, below) =>
      below > level ? overlapping(tables, table).map((older) => ({ table: older, level: below })) : [],
    ),
  ];
}
