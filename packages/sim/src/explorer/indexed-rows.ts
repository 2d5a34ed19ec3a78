import { type Engine, json } from "@kaya/engine";

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

export function rowsAfter(writes: readonly RowWrite[]): Rows {
  const rows = new Map<string, Row>();
  for (const write of writes) {
    if (write === "clear") rows.clear();
    else
      for (const [key, row] of Object.entries(write)) {
        if (row === null) rows.delete(key);
        else rows.set(key, row);
      }
  }
  return rows;
}

/** The rows, in the order of their keys, as text. */
export function showRows(rows: Iterable<readonly [string, Row]>): string {
  return JSON.stringify([...rows].sort(([a], [b]) => (a < b ? -1 : 1)));
}
