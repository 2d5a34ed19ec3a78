import type { HistoryOperation, KeyedValue, RegisterValue } from "./history.js";

/** An operation in numbers: keys and (key, value) pairs are interned. */
export interface CompiledOperation {
  readonly source: HistoryOperation;
  readonly invoked: number;
  /** When it has taken effect at the latest. Without meaning if the outcome is unknown. */
  readonly returned: number;
  readonly isUnknown: boolean;
  readonly isConflict: boolean;
  /** Pairs that must be the state for `ok`, and of which one must not be for `conflict`. */
  readonly expects: readonly number[];
  /** None of a conflict. */
  readonly writes: readonly number[];
}

/** A history of one component: operations that share keys, directly or over others. */
export interface CompiledHistory {
  /** In order of their calls. */
  readonly operations: readonly CompiledOperation[];
  /** The key of each pair. */
  readonly keyOfPair: readonly number[];
  /** The pair that each key has at first. */
  readonly initial: readonly number[];
  /** For messages. */
  readonly keys: readonly string[];
  readonly values: readonly RegisterValue[];
}

class Pairs {
  readonly keys: string[] = [];
  readonly values: RegisterValue[] = [];
  readonly keyOfPair: number[] = [];
  readonly initial: number[] = [];
  readonly #keyIds = new Map<string, number>();
  readonly #pairIds: Map<RegisterValue, number>[] = [];
  readonly #initialOf: (key: string) => RegisterValue;

  constructor(initialOf: (key: string) => RegisterValue) {
    this.#initialOf = initialOf;
  }

  of({ key, value }: KeyedValue): number {
    const keyId = this.#key(key);
    return this.#pair(keyId, value);
  }

  #key(key: string): number {
    const known = this.#keyIds.get(key);
    if (known !== undefined) return known;
    const id = this.keys.push(key) - 1;
    this.#keyIds.set(key, id);
    this.#pairIds.push(new Map());
    this.initial.push(this.#pair(id, this.#initialOf(key)));
    return id;
  }

  #pair(keyId: number, value: RegisterValue): number {
    const ids = this.#pairIds[keyId] as Map<RegisterValue, number>;
    const known = ids.get(value);
    if (known !== undefined) return known;
    const id = this.values.push(value) - 1;
    this.keyOfPair.push(keyId);
    ids.set(value, id);
    return id;
  }
}

/** @param initialOf what a key has before the history */
export function compile(
  operations: readonly HistoryOperation[],
  initialOf: (key: string) => RegisterValue,
): CompiledHistory {
  const pairs = new Pairs(initialOf);
  const inOrder = [...operations].sort((a, b) => a.invoked - b.invoked);
  const compiled = inOrder.map((source) => ({
    source,
    invoked: source.invoked,
    returned: Math.max(source.invoked, source.returned),
    isUnknown: source.outcome === "unknown",
    isConflict: source.outcome === "conflict",
    expects: source.expects.map((each) => pairs.of(each)),
    writes: source.outcome === "conflict" ? [] : lastOfEachKey(source.writes).map((each) => pairs.of(each)),
  }));
  const { keyOfPair, initial, keys, values } = pairs;
  return { operations: withoutDoubt(compiled, new Set(initial)), keyOfPair, initial, keys, values };
}

/**
 * An operation of unknown outcome that alone wrote what somebody saw did take effect, before the first of those who saw it returned. Then it saw
 * what it expected, which may tell of others.
 */
function withoutDoubt(
  operations: readonly CompiledOperation[],
  initial: ReadonlySet<number>,
): readonly CompiledOperation[] {
  const result = [...operations];
  const sources = new Map<number, number>(); // of each pair, the only operation that writes it, or -1
  for (const [index, { writes }] of operations.entries())
    for (const pair of writes) sources.set(pair, sources.has(pair) || initial.has(pair) ? -1 : index);
  const queue = operations.filter(({ isUnknown, isConflict }) => !isUnknown && !isConflict);
  for (const { expects, returned } of queue)
    for (const pair of expects) {
      const index = sources.get(pair) ?? -1;
      const found = result[index];
      if (found === undefined || operations[index]?.isUnknown !== true) continue;
      if (!found.isUnknown && found.returned <= returned) continue;
      result[index] = { ...found, isUnknown: false, returned: Math.max(found.invoked, returned) };
      queue.push(result[index]); // the loop goes on to it
    }
  return result;
}

function lastOfEachKey(writes: readonly KeyedValue[]): KeyedValue[] {
  return [...new Map(writes.map((each) => [each.key, each])).values()];
}

/** Operations that share no key with each other are linearizable if each part is: linearizability is local (Herlihy and Wing 1990). */
export function components(operations: readonly HistoryOperation[]): HistoryOperation[][] {
  const parents = new Map<string, string>();
  const root = (key: string): string => {
    let at = key;
    for (let up = parents.get(at); up !== undefined; up = parents.get(at)) at = up;
    if (at !== key) parents.set(key, at);
    return at;
  };
  const relevant = operations.filter(isRelevant);
  for (const { expects, writes } of relevant) {
    const [first, ...others] = [...expects, ...writes].map(({ key }) => root(key));
    for (const other of others) {
      const [from, to] = [root(other), root(first as string)];
      if (from !== to) parents.set(from, to);
    }
  }
  const parts = new Map<string, HistoryOperation[]>();
  for (const operation of relevant) {
    const [{ key } = { key: "" }] = [...operation.expects, ...operation.writes];
    const part = parts.get(root(key));
    if (part === undefined) parts.set(root(key), [operation]);
    else part.push(operation);
  }
  return [...parts.values()];
}

/** A failed call says nothing, and neither does one without keys, or a read that nobody answered. */
function isRelevant({ outcome, expects, writes }: HistoryOperation): boolean {
  if (outcome === "failed") return false;
  if (outcome === "unknown") return writes.length > 0;
  return expects.length + writes.length > 0;
}
