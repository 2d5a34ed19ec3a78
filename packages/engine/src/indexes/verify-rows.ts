import { showKey } from "../conditions.js";
import type { IndexDefinition } from "./definition.js";
import { entryKey, indexPrefix, parseEntryKey } from "./entry-key.js";
import type { DeclaredIndex } from "./index-options.js";
import { includes } from "./maintain.js";
import { shownKey } from "./not-unique.js";
import { Problems } from "./problems.js";
import { type IndexProblem, nameOf, type Readable } from "./verify-entries.js";

/** What `verifyIndexes` has compared, and the problems that it found. */
export interface IndexVerification {
  /** How many rows were read. */
  readonly rows: number;
  /** How many entries all indexes of the view have. */
  readonly entries: number;
  /** The first hundred problems. */
  readonly problems: readonly IndexProblem[];
  /** How many problems were found in all. */
  readonly problemCount: number;
}

interface Checked {
  readonly definition: IndexDefinition;
  readonly declared: DeclaredIndex;
}

const PAGE = 128;

/**
 * Makes the keys of all rows again, and compares them with the entries, in both directions.
 * @param reader one point in time, at which the indexes are ready
 */
export async function verifyRows(
  reader: Readable,
  prefix: Uint8Array,
  indexes: readonly Checked[],
): Promise<IndexVerification> {
  const problems = new Problems();
  let rows = 0;
  for await (const page of reader.scan({ prefix }).pages(PAGE)) {
    rows += page.length;
    for (const index of indexes) await findMissing(reader, index, page, problems);
  }
  let entries = 0;
  for (const index of indexes)
    for await (const page of reader.scan({ prefix: indexPrefix(index.definition.id) }).pages(PAGE)) {
      entries += page.length;
      await findStale(reader, index, page, problems);
    }
  return { rows, entries, problems: problems.first, problemCount: problems.count };
}

type Page = readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];

async function findMissing(
  reader: Readable,
  checked: Checked,
  page: Page,
  problems: Problems,
): Promise<void> {
  const { definition, declared } = checked;
  const { id, unique, prefix } = definition;
  const wanted = page.flatMap(({ key, value }) => {
    const rowKey = key.subarray(prefix.length);
    return declared.keysOf(key, value).map((indexKey) => {
      return { row: key, rowKey, indexKey, entry: entryKey(id, indexKey, unique ? undefined : rowKey) };
    });
  });
  const found = await reader.getMany(wanted.map(({ entry }) => entry));
  for (const [i, { row, rowKey, indexKey, entry }] of wanted.entries()) {
    const value = found[i];
    if (value !== undefined && (!unique || Buffer.compare(value, rowKey) === 0)) continue;
    const has =
      value === undefined
        ? "has no entry"
        : `has no entry, as ${showKey(Buffer.concat([prefix, value]))} has it,`;
    const message = `the row ${showKey(row)} ${has} in ${nameOf(definition)} for its key ${shownKey(declared.keys, indexKey)}`;
    problems.add("missing", Buffer.concat([entry, unique ? rowKey : new Uint8Array(0)]), message);
  }
}

async function findStale(reader: Readable, checked: Checked, page: Page, problems: Problems): Promise<void> {
  const { definition, declared } = checked;
  const entries = page.map(({ key, value }) => {
    const { indexKey, rowKey } = parseEntryKey(key);
    return { key, indexKey, row: Buffer.concat([definition.prefix, definition.unique ? value : rowKey]) };
  });
  const rows = await reader.getMany(entries.map(({ row }) => row));
  for (const [i, { key, indexKey, row }] of entries.entries()) {
    const value = rows[i];
    const shown = `an entry of ${nameOf(definition)} with the key ${shownKey(declared.keys, indexKey)} leads to the row ${showKey(row)}`;
    if (value === undefined) problems.add("no-row", key, `${shown}, which is not there`);
    else if (!includes(declared.keysOf(row, value), indexKey))
      problems.add("stale", key, `${shown}, which has another key`);
  }
}
