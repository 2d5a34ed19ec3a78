import type { StepRange } from "./steps.js";

/** What one operation of a write does: a value for a key, or none. */
export interface Change {
  readonly key: string;
  readonly value: string | undefined;
}

/** The reference model of the store: what every key has. */
export type State = Map<string, string>;

export type StateEntry = readonly [key: string, value: string];

export function applyChange(state: State, { key, value }: Change): void {
  if (value === undefined) state.delete(key);
  else state.set(key, value);
}

/** The entries of a range, in the order in which a scan must give them. */
export function entriesOf(state: ReadonlyMap<string, string>, range: StepRange = {}): StateEntry[] {
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
