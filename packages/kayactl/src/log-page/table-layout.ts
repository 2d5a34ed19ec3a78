import type { ManifestState, TableMeta } from "@kaya/lsm";

/** A table, or several beside each other that are too narrow to be seen by themselves, as a rectangle. */
export interface TableBox {
  readonly tables: readonly TableMeta[];
  /** Shares of the width, from 0 to 1. */
  readonly from: number;
  readonly to: number;
}

/** One row of the picture: tables whose keys do not overlap. */
export interface TableLane {
  readonly level: number;
  readonly boxes: readonly TableBox[];
}

/** Narrower boxes of one level become one. */
const NARROWEST = 1 / 500;
/** Tables of level 0 overlap: each has a lane of its own, up to so many. */
const MOST_LANES = 12;

/**
 * Lays tables out: levels from top to bottom, keys from left to right, the same key at the same place on every level. A range of keys is
 * as wide as it has bytes, over all levels.
 */
export function layOutTables(levels: ManifestState["levels"]): TableLane[] {
  const placeOf = places(levels.flat());
  return levels.flatMap((tables, level) => {
    if (tables.length === 0) return [];
    const lanes = level === 0 ? tables.slice(0, MOST_LANES).map((table) => [table]) : [tables];
    return lanes.map((lane) => ({ level, boxes: boxesOf(lane, placeOf) }));
  });
}

type PlaceOf = (end: Uint8Array | undefined) => number;

/** Where each end of a table stands. */
function places(tables: readonly TableMeta[]): PlaceOf {
  const keys = tables.flatMap(({ start, end }) => (end === undefined ? [start] : [start, end]));
  const ends = keys.sort(Buffer.compare).filter((key, at) => at === 0 || !isSame(key, keys[at - 1]));
  const index = new Map(ends.map((key, at) => [nameOf(key), at]));
  const indexOf = (key: Uint8Array) => index.get(nameOf(key)) ?? 0;
  const spans = tables.map(({ start, end, fileBytes }) => ({
    from: indexOf(start),
    // Behind the last end there is one more stretch, of tables that have none.
    to: end === undefined ? ends.length : indexOf(end),
    bytes: fileBytes,
  }));
  const sums = [0];
  for (const weight of weightsOf(spans, ends.length)) sums.push((sums.at(-1) ?? 0) + weight);
  const total = sums.at(-1) || 1;
  return (key) => (key === undefined ? 1 : (sums[indexOf(key)] ?? 0) / total);
}

interface Span {
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
}

/**
 * The bytes of each stretch between two ends. How a table's bytes lie in its stretches is not known: narrower tables that are in the same
 * place give the proportion, and where there are none it is even.
 */
function weightsOf(spans: readonly Span[], count: number): Float64Array {
  const weights = new Float64Array(count);
  const narrowFirst = [...spans].sort((a, b) => a.to - a.from - (b.to - b.from));
  for (const { from, to, bytes } of narrowFirst) {
    const known = weights.subarray(from, to).reduce((sum, weight) => sum + weight, 0);
    for (let at = from; at < to; at++) {
      const share = known > 0 ? (weights[at] ?? 0) / known : 1 / (to - from);
      weights[at] = (weights[at] ?? 0) + bytes * share;
    }
  }
  return weights;
}

function isSame(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0;
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

function boxesOf(tables: readonly TableMeta[], placeOf: PlaceOf): TableBox[] {
  const boxes: { tables: TableMeta[]; from: number; to: number }[] = [];
  for (const table of tables) {
    const [from, to] = [placeOf(table.start), placeOf(table.end)];
    const last = boxes.at(-1);
    if (last !== undefined && to - last.from < NARROWEST) {
      last.tables.push(table);
      last.to = to;
    } else boxes.push({ tables: [table], from, to });
  }
  return boxes;
}
