import { type Engine, json } from "@kaya/engine";
import { isUnique } from "../unique-rows.js";

/** A row: its key in a unique index, where it has one, and its keys in another. */
export interface Row {
  readonly unique?: string;
  readonly many: readonly string[];
}

/** What a write does: rows by their keys, null for one that is deleted; or all rows are cleared. */
export type RowWrite = Readonly<Record<string, Row | null>> | "clear";

export type Rows = ReadonlyMap<string, Row>;

export function indexedView(engine: Engine) {
  return engine.view({
    prefix: "row:",
    key: "utf8",
    value: json<Row>(),
    indexes: {
      unique: { of: (row) => row.unique, unique: true },
      many: { each: (row) => row.many },
    },
  });
}

/** The same rows, of a program that knows of no indexes. */
export function plainView(engine: Engine) {
  return engine.view({ prefix: "row:", key: "utf8", value: json<Row>() });
}

/**
 * The rows after some writes. It leaves out a write that would give two rows one key in the unique index: the engine refuses such a write, but a crash can come
 * before the caller learns it. An acknowledged write always counts.
 */
export function rowsAfter(writes: readonly RowWrite[], acknowledged: ReadonlySet<RowWrite>): Rows {
  let rows: Rows = new Map();
  for (const write of writes) {
    const next = after(rows, write);
    if (acknowledged.has(write) || isUnique(next)) rows = next;
  }
  return rows;
}

function after(rows: Rows, write: RowWrite): Rows {
  if (write === "clear") return new Map();
  const next = new Map(rows);
  for (const [key, row] of Object.entries(write)) {
    if (row === null) next.delete(key);
    else next.set(key, row);
  }
  return next;
}

/** The rows, in the order of their keys, as text. */
export function showRows(rows: Iterable<readonly [string, Row]>): string {
  return JSON.stringify([...rows].sort(([a], [b]) => (a < b ? -1 : 1)));
}
