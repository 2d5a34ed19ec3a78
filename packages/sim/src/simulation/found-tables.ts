import { KayaError, type LogPosition, type SequenceNumber } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { EXPIRING, type LsmSnapshot, LsmTree, listManifests } from "@kaya/lsm";
import { quote, toText } from "./bytes.js";
import { deleteRange, type Held, isAlive, isRange } from "./state.js";
import type { Attempt } from "./timeline.js";
import { RuleBroken } from "./violation.js";

/** The tables that an opening would begin with, read without the engine. */
export interface FoundTables {
  readonly covered: LogPosition;
  readonly tables: number;
  /** That have a value, or had one that expired, in key order. */
  readonly entries: readonly FoundEntry[];
}

interface FoundEntry extends SequencedValue {
  readonly key: string;
}

interface SequencedValue extends Held {
  readonly sequence: SequenceNumber;
}

/** The tables of the newest manifest: all must be whole, whatever happened. Undefined without a manifest. */
export async function findTables(disk: Disk): Promise<FoundTables | undefined> {
  if ((await listManifests(disk)).newest === undefined) return undefined;
  const tree = await LsmTree.look(disk, { autoCompact: false }).catch(refused);
  try {
    const snapshot = tree.snapshot();
    const entries = await entriesOf(snapshot).catch(refused);
    snapshot.release();
    return { covered: tree.covered, tables: tree.tables, entries };
  } finally {
    await tree.close();
  }
}

async function entriesOf(snapshot: LsmSnapshot): Promise<FoundEntry[]> {
  const entries: FoundEntry[] = [];
  const cursor = snapshot.cursor();
  for (let isThere = await cursor.seekFirst(); isThere; isThere = await cursor.next()) {
    const { key, kind, value, sequence } = cursor;
    const expiresAt = kind === EXPIRING ? cursor.expiresAt : undefined;
    entries.push({ key: toText(key), value: toText(value), sequence, expiresAt });
  }
  cursor.close();
  return entries;
}

function refused(error: unknown): never {
  if (KayaError.is(error))
    throw new RuleBroken("wrong-refusal", `tables that the manifest names are not whole: ${error}`);
  throw error;
}

/**
 * Where tables are not the state after the writes that they cover; undefined where they are.
 * @param now entries that have expired by then may be there or not
 */
export function differenceOfTables(
  { covered, entries }: FoundTables,
  attempts: readonly Attempt[],
  now: number,
): string | undefined {
  const { state, end } = stateAt(covered, attempts);
  if (end.lsn !== covered.lsn || end.sequence !== covered.sequence) {
    const attempted = `LSN ${end.lsn}, sequence ${end.sequence}`;
    return `the tables cover LSN ${covered.lsn}, sequence ${covered.sequence}; there was ${attempted} attempted`;
  }
  const alive = entries.filter((entry) => isAlive(entry, now));
  const expected = new Map([...state].filter(([, held]) => isAlive(held, now)));
  return differenceOfEntries(alive, expected, `the tables through LSN ${covered.lsn}`);
}

function differenceOfEntries(
  entries: readonly FoundEntry[],
  state: SequencedState,
  what: string,
): string | undefined {
  let before: string | undefined;
  for (const { key, value, sequence, expiresAt } of entries) {
    const expected = state.get(key);
    const isIt =
      expected?.value === value && expected.sequence === sequence && expected.expiresAt === expiresAt;
    if (!isIt) {
      return `${what} have ${quote(key)} = ${quote(value)} with sequence ${sequence}; must be ${JSON.stringify(expected)}`;
    }
    if (before !== undefined && before >= key) return `${what} have ${quote(key)} behind ${quote(before)}`;
    before = key;
  }
  return entries.length === state.size
    ? undefined
    : `${what} have ${entries.length} entries where there were ${state.size}`;
}

type SequencedState = Map<string, SequencedValue>;

/** What the writes through an LSN leave, and where they end. */
export function stateAt(
  { lsn, sequence }: LogPosition,
  attempts: readonly Attempt[],
): { readonly state: SequencedState; readonly end: LogPosition } {
  const state: SequencedState = new Map();
  let end: LogPosition = { lsn: 0, sequence: 0 };
  for (const { firstLsn, lastLsn, firstSequence, lastSequence, changes } of attempts) {
    if (firstLsn > lsn) break;
    // Of a clear of several records perhaps only the first ones.
    end = lastLsn <= lsn ? { lsn: lastLsn, sequence: lastSequence } : { lsn, sequence };
    for (const [i, change] of changes.entries()) {
      if (firstSequence + i > end.sequence) break;
      if (isRange(change)) deleteRange(state, change);
      else if (change.value === undefined) state.delete(change.key);
      else {
        const { key, value, expiresAt } = change;
        state.set(key, { value, expiresAt, sequence: firstSequence + i });
      }
    }
  }
  return { state, end };
}
