import { expiredAt, expiredBy } from "../table/table-expiry.js";
import type { MergePick } from "./pick.js";
import type { PickLevels, PickTable } from "./shape.js";

/** Every entry of a table is a tombstone, or has expired by `now`: it hides what is older, and has no value. */
export function hasNoValue({ meta, expiry }: PickTable, now: number): boolean {
  if (expiry === undefined) return meta.entries === meta.tombstones;
  return meta.entries === meta.tombstones + expiry.entries && expiry.latest <= now;
}

/** Whether a merge would find an expired entry in a table. */
export function hasExpired({ expiry }: PickTable, now: number): boolean {
  return expiry !== undefined && expiry.earliest <= now;
}

/**
 * The table of which the largest share of the entries has expired, where that is `ratio` or more: it is written anew where it is, but a
 * table of level 0 among its like. A merge at `now` or later leaves none of them.
 * @param fromLevel0 gives what is done with those of level 0
 */
export function pickExpired<T extends PickTable>(
  levels: PickLevels<T>,
  ratio: number,
  now: number,
  fromLevel0: () => MergePick<T>,
): MergePick<T> | undefined {
  let found: { readonly level: number; readonly table: T } | undefined;
  let largest = ratio;
  for (const [level, tables] of levels.entries()) {
    for (const table of tables) {
      const share = expiredShare(table, now);
      if (share < largest || share === 0) continue;
      [found, largest] = [{ level, table }, share];
    }
  }
  if (found === undefined) return undefined;
  return found.level === 0 ? fromLevel0() : rewrite(found.level, found.table);
}

/** Writes a table anew where it is. */
export function rewrite<T extends PickTable>(level: number, table: T): MergePick<T> {
  return { kind: "merge", inputs: [{ level, tables: [table] }], to: level };
}

function expiredShare({ meta, expiry }: PickTable, now: number): number {
  return expiry === undefined ? 0 : expiredBy(expiry, now) / meta.entries;
}

/**
 * When `pickExpired` or a drop finds more than it does at `now`, nearly: undefined where it never does as long as nothing is written.
 * @param ratio as that of `pickExpired`
 */
export function nextExpiry(levels: PickLevels, ratio: number, now: number): number | undefined {
  let next: number | undefined;
  for (const { meta, expiry } of levels.flat()) {
    if (expiry === undefined) continue;
    const isDroppable = meta.entries === meta.tombstones + expiry.entries;
    const times = [
      expiredAt(expiry, Math.ceil(ratio * meta.entries)),
      isDroppable ? expiry.latest : undefined,
    ];
    for (const time of times)
      if (time !== undefined && time > now && (next === undefined || time < next)) next = time;
  }
  return next;
}
