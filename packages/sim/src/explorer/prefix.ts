import type { HistoryView } from "./history.js";

/** How recovered items are compared with the attempted ones. */
export interface PrefixOptions<T, R> {
  /** Where in the log `recovered` begins: what is before it is known to be there. Default 0. */
  readonly from?: number;
  /** True if a recovered item is the attempted one. `index` is its place in the log, from 0. */
  readonly matches: (attempted: T, recovered: R, index: number) => boolean;
  /** Shows an item in messages. */
  readonly describe?: (item: T | R) => string;
}

/**
 * The check of everything that keeps an order: what came back must be a prefix of what was attempted, and hold all that
 * was acknowledged.
 * @throws Error that says what is wrong
 */
export function checkPrefix<T, R>(
  view: HistoryView<T>,
  recovered: readonly R[],
  { from = 0, matches, describe = String }: PrefixOptions<T, R>,
): void {
  const { attempted, acknowledged } = view;
  const end = from + recovered.length;
  for (const [offset, item] of recovered.entries()) {
    const index = from + offset;
    const expected = attempted[index];
    if (expected !== undefined && matches(expected, item, index)) continue;
    const wanted = expected === undefined ? "the end" : `«${describe(expected)}»`;
    throw new Error(`item ${index} that came back is «${describe(item)}», not ${wanted}`);
  }
  for (const [index, item] of attempted.entries()) {
    if (index < end || !acknowledged.has(item)) continue;
    throw new Error(`${end} items came back, and item ${index}, acknowledged, is lost: «${describe(item)}»`);
  }
}
