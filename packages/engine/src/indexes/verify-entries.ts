import { describe, KayaError } from "@kaya/core";
import { showKey } from "../conditions.js";
import type { Reader } from "../reader.js";
import { decodeDefinition, definitionsPrefix, type IndexDefinition } from "./definition.js";
import { entriesPrefix, indexPrefix, type ParsedEntryKey, parseEntryKey } from "./entry-key.js";
import { Problems } from "./problems.js";

/** A definition, an entry or a row that does not agree with the others of an index. */
export interface IndexProblem {
  /**
   * `damaged`: a definition or an entry that cannot be read; `unknown`: an entry of no index; `no-row`: an
   * entry whose row is absent; `missing`: a row without an entry; `stale`: an entry that its row does not have.
   */
  readonly kind: "damaged" | "unknown" | "no-row" | "missing" | "stale";
  /** The key of the definition or entry in the store. */
  readonly key: Uint8Array;
  /** The problem in words, with the index and the row. */
  readonly message: string;
}

/** An index as the store describes it. */
export interface IndexSummary {
  /** The prefix of the view whose rows it indexes. */
  readonly prefix: Uint8Array;
  /** The name under which a view declares it. */
  readonly name: string;
  /** True if at most one row may have an index key. */
  readonly unique: boolean;
  /** The name of the codec of its keys. */
  readonly codec: string;
  /** The `version` with which it was built. */
  readonly version: number;
  /** `"building"` until all rows have their entries, then `"ready"`. */
  readonly state: "building" | "ready";
  /** How many entries it has. */
  readonly entries: number;
}

/** The indexes of a store, and the problems that were found without the program that declares them. */
export interface EntriesReport {
  /** All indexes that the store has. */
  readonly indexes: readonly IndexSummary[];
  /** The first hundred problems. */
  readonly problems: readonly IndexProblem[];
  /** How many problems were found in all. */
  readonly problemCount: number;
}

/** What is read of a store or of a point in time. */
export type Readable = Pick<Reader, "scan" | "getMany">;

const PAGE = 256;

/**
 * Checks indexes without the program that declares them: definitions can be read, each entry belongs to an
 * index, and its row is there. It reads all entries and their rows.
 *
 * @param reader a snapshot, or an engine that nobody writes to: otherwise a write in between looks like a
 *   problem
 * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED
 */
export async function verifyIndexEntries(reader: Readable): Promise<EntriesReport> {
  const problems = new Problems();
  const definitions = await readDefinitions(reader, problems);
  const indexes: IndexSummary[] = [];
  for (const { cursor: _, id, ...rest } of definitions.values()) {
    let entries = 0;
    for await (const page of reader.scan({ prefix: indexPrefix(id) }).pages(PAGE)) {
      entries += page.length;
      await checkRows(reader, { id, ...rest }, page, problems);
    }
    indexes.push({ ...rest, entries });
  }
  for await (const page of reader.scan({ prefix: entriesPrefix() }).keyPages(PAGE))
    for (const key of page) {
      const id = parsed(key, problems)?.id;
      if (id !== undefined && !definitions.has(id))
        problems.add("unknown", key, `an entry of the index ${id}, which no definition has`);
    }
  return { indexes, problems: problems.first, problemCount: problems.count };
}

/** By their ids. */
async function readDefinitions(reader: Readable, problems: Problems): Promise<Map<number, IndexDefinition>> {
  const definitions = new Map<number, IndexDefinition>();
  for await (const { key, value } of reader.scan({ prefix: definitionsPrefix() })) {
    try {
      const definition = decodeDefinition(key, value);
      const other = definitions.get(definition.id);
      if (other === undefined) definitions.set(definition.id, definition);
      else
        problems.add(
          "damaged",
          key,
          `${nameOf(definition)} has the id ${other.id}, which ${nameOf(other)} has`,
        );
    } catch (error) {
      if (!KayaError.is(error, "KAYA_CORRUPTION")) throw error;
      problems.add("damaged", key, error.message);
    }
  }
  return definitions;
}

async function checkRows(
  reader: Readable,
  definition: Omit<IndexDefinition, "cursor">,
  page: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[],
  problems: Problems,
): Promise<void> {
  const entries = page.flatMap(({ key, value }) => {
    const entry = parsed(key, problems);
    if (entry === undefined) return [];
    const [given, other] = definition.unique ? [value, entry.rowKey] : [entry.rowKey, value];
    if (other.length > 0)
      problems.add("damaged", key, `an entry of ${nameOf(definition)} names a row in two places`);
    return [{ key, row: Buffer.concat([definition.prefix, given]) }];
  });
  const rows = await reader.getMany(entries.map(({ row }) => row));
  for (const [i, { key, row }] of entries.entries())
    if (rows[i] === undefined)
      problems.add(
        "no-row",
        key,
        `an entry of ${nameOf(definition)} leads to the row ${showKey(row)}, which is not there`,
      );
}

function parsed(key: Uint8Array, problems: Problems): ParsedEntryKey | undefined {
  try {
    return parseEntryKey(key);
  } catch (error) {
    if (!KayaError.is(error)) throw error;
    problems.add("damaged", key, error.message);
    return undefined;
  }
}

export function nameOf({ prefix, name }: Pick<IndexDefinition, "prefix" | "name">): string {
  return `the index ${describe(name)} of ${showKey(prefix)}`;
}
