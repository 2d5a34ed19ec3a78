import type { StepRange } from "./steps.js";

/** The effect of one operation of a write. */
export type Change = KeyChange | RangeChange;

/** A value for a key, or none. */
export interface KeyChange {
  readonly key: string;
  readonly value: string | undefined;
  /** When the key loses the value by itself. */
  readonly expiresAt?: number | undefined;
}

/** No value for any key from `start` up to, but without, `end`; without an end there is no upper bound. */
export interface RangeChange {
  readonly start: string;
  readonly end: string | undefined;
}

export function isRange(change: Change): change is RangeChange {
  return "start" in change;
}

/** Whether the change decides the key's value. */
export function touches(change: Change, key: string): boolean {
  if (!isRange(change)) return change.key === key;
  return key >= change.start && (change.end === undefined || key < change.end);
}

/** Whether two changes are the same one. */
export function isSameChange(a: Change, b: Change): boolean {
  if (isRange(a)) return isRange(b) && a.start === b.start && a.end === b.end;
  return !isRange(b) && a.key === b.key && a.value === b.value && a.expiresAt === b.expiresAt;
}

/** What a key has, until it expires. */
export interface Held {
  readonly value: string;
  readonly expiresAt: number | undefined;
}

/** The reference model of the store: every key's value, whatever the time. */
export type State = Map<string, Held>;

/** The visible part of a state: all that has not expired. */
export type Seen = ReadonlyMap<string, string>;

export function seenAt(state: ReadonlyMap<string, Held>, now: number): Seen {
  const alive = [...state].filter(([, held]) => isAlive(held, now));
  return new Map(alive.map(([key, { value }]) => [key, value]));
}

export function isAlive({ expiresAt }: Partial<Pick<Held, "expiresAt">>, now: number): boolean {
  return expiresAt === undefined || expiresAt > now;
}

export type StateEntry = readonly [key: string, value: string];

export function applyChange(state: State, change: Change): void {
  if (isRange(change)) deleteRange(state, change);
  else if (change.value === undefined) state.delete(change.key);
  else state.set(change.key, { value: change.value, expiresAt: change.expiresAt });
}

export function deleteRange(state: Map<string, unknown>, range: RangeChange): void {
  for (const key of [...state.keys()]) if (touches(range, key)) state.delete(key);
}

/** The keys that a clear of this range without a limit deletes; undefined where there can be none. */
export function rangeChange({ prefix, gt, gte, lt, lte }: StepRange): RangeChange | undefined {
  const behind = (key: string | undefined) => (key === undefined ? [] : [`${key}\0`]);
  const given = (key: string | undefined) => (key === undefined ? [] : [key]);
  const starts = [...given(gte), ...behind(gt), ...given(prefix), ""].sort();
  const ends = [...given(lt), ...behind(lte), ...given(successor(prefix ?? ""))].sort();
  const [start = "", end] = [starts.at(-1), ends[0]];
  return end !== undefined && start >= end ? undefined : { start, end };
}

/** The first text behind all that begin with this; undefined where there is none. */
function successor(prefix: string): string | undefined {
  const counted = prefix.replace(/\xff+$/, "");
  if (counted === "") return undefined;
  return counted.slice(0, -1) + String.fromCharCode(counted.charCodeAt(counted.length - 1) + 1);
}

/** The entries of a range, in the order in which a scan must give them. */
export function entriesOf(state: Seen, range: StepRange = {}): StateEntry[] {
  const entries = [...state].filter(([key]) => isInside(key, range));
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  if (range.reverse === true) entries.reverse();
  return range.limit === undefined ? entries : entries.slice(0, range.limit);
}

function isInside(key: string, { prefix, gt, gte, lt, lte }: StepRange): boolean {
  return (
    (prefix === undefined || key.startsWith(prefix)) &&
    (gt === undefined || key > gt) &&
    (gte === undefined || key >= gte) &&
    (lt === undefined || key < lt) &&
    (lte === undefined || key <= lte)
  );
}
