import { expiredAt, expiredBy } from "../table/table-expiry.js";
import type { MergePick } from "./pick.js";
import type { PickLevels, PickTable } from "./shape.js";

/** Every entry of a table is a tombstone, or has expired by `now`: it hides older ones, and has no value. */
export function hasNoValue({ meta, expiry }: PickTable, now: number): boolean {
  if (expiry === undefined) return meta.entries === meta.tombstones;
  return meta.entries === meta.tombstones + expiry.entries && expiry.latest <= now;
}

/** Whether a merge would find an expired entry in a table. */
export function hasExpired({ expiry }: PickTable, now: number): boolean {
  return expiry !== undefined && expiry.earliest <= now;
}

/**
 * The merge with the largest share of expired bytes, if that is `ratio` or more: of a single table in its place, or of level 0 with the
 * tables below. A merge at `now` or later removes all of them.
 * @param ofLevel0 what would be merged with level 0; undefined where it has no tables
 */
export function pickExpired<T extends PickTable>(
  levels: PickLevels<T>,
  ratio: number,
  now: number,
  ofLevel0: MergePick<T> | undefined,
): MergePick<T> | undefined {
  let found: MergePick<T> | undefined;
  let largest = ratio;
  const consider = (pick: MergePick<T>): void => {
    const share = expiredShare(
      pick.inputs.flatMap(({ tables }) => tables),
      now,
    );
    if (share < largest || share === 0) return;
    [found, largest] = [pick, share];
  };
  if (ofLevel0 !== undefined) consider(ofLevel0);
  for (const [level, tables] of levels.entries()) {
    if (level === 0) continue;
    for (const table of tables) if (hasExpired(table, now)) consider(rewrite(level, table));
  }
  return found;
}

/** Rewrites a table on its level. */
export function rewrite<T extends PickTable>(level: number, table: T): MergePick<T> {
  return { kind: "merge", inputs: [{ level, tables: [table] }], to: level };
}

/** Expired share of the bytes of these tables; all entries count the same. */
function expiredShare(tables: readonly PickTable[], now: number): number {
  let [bytes, expired] = [0, 0];
  for (const { meta, expiry } of tables) {
    bytes += meta.fileBytes;
    if (expiry !== undefined) expired += (meta.fileBytes * expiredBy(expiry, now)) / meta.entries;
  }
  return bytes === 0 ? 0 : expired / bytes;
}

/**
 * When `pickExpired` or a drop may find more than at `now`; undefined if neither will without new writes.
 * @param ratio as that of `pickExpired`
 */
export function nextExpiry(levels: PickLevels, ratio: number, now: number): number | undefined {
  let next: number | undefined;
  for (const { meta, expiry } of levels.flat()) {
    if (expiry === undefined) continue;
    for (const time of [expiredAt(expiry, Math.ceil(ratio * meta.entries)), expiry.half, expiry.latest])
      if (time !== undefined && time > now && (next === undefined || time < next)) next = time;
  }
  return next;
}
