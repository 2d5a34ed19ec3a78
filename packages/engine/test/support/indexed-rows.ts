import { type Engine, json, type Reader } from "../../src/index.js";
import { decodeDefinition, definitionsPrefix } from "../../src/indexes/definition.js";
import { entriesPrefix, parseEntryKey } from "../../src/indexes/entry-key.js";
import { latin1 } from "./text.js";

export interface Row {
  /** The key in a unique index. */
  u?: string | undefined;
  /** The keys in an index of many. */
  m?: string[];
  n?: number;
}

export const ENTRIES = entriesPrefix();

export function rowsOf(engine: Engine) {
  return engine.view({
    prefix: "r:",
    key: "utf8",
    value: json<Row>(),
    indexes: { u: { of: (row) => row.u, unique: true }, m: { each: (row) => row.m ?? [] } },
  });
}

/** All entries, by index, key of the index, and row. */
export async function entriesIn(reader: Pick<Reader, "scan">): Promise<string[]> {
  const names = new Map<number, string>();
  for await (const { key, value } of reader.scan({ prefix: definitionsPrefix() })) {
    const { id, name } = decodeDefinition(key, value);
    names.set(id, name);
  }
  const entries: string[] = [];
  for await (const { key, value } of reader.scan({ prefix: ENTRIES })) {
    const { id, indexKey, rowKey } = parseEntryKey(key);
    entries.push(`${names.get(id) ?? `unknown ${id}`} ${latin1(indexKey)} ${latin1(rowKey)}${latin1(value)}`);
  }
  return entries.sort();
}
