import type { HistoryOperation, KeyedValue, RegisterValue } from "./history.js";

/** An operation in numbers: each (key, value) pair has a number. */
export interface CompiledOperation {
  readonly source: HistoryOperation;
  readonly invoked: number;
  /** The latest moment at which it takes effect: its response. It has no meaning if the outcome is unknown. */
  readonly returned: number;
  readonly isUnknown: boolean;
  readonly isConflict: boolean;
  /** For `ok`: all these pairs must be in the state. For `conflict`: at least one of them must not be in the state. */
  readonly expects: readonly number[];
  /** Empty for a conflict. */
  readonly writes: readonly number[];
}

/** A history of one component: operations that share keys, directly or through other operations. */
export interface CompiledHistory {
  /** In the order of invocations. */
  readonly operations: readonly CompiledOperation[];
  /** The key of each pair. */
  readonly keyOfPair: readonly number[];
  /** The initial pair of each key. */
  readonly initial: readonly number[];
  /** The names of the keys, for messages. */
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

/** @param initialOf the value of a key before the history */
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
 * Decides some unknown outcomes. If only one operation wrote a value, and another operation read this value, then the write took effect,
 * even if its outcome is unknown. It took effect before the response of that read. Then its own conditions held as well, which may decide
 * the outcome of the writes that it read.
 */
function withoutDoubt(
  operations: readonly CompiledOperation[],
  initial: ReadonlySet<number>,
): readonly CompiledOperation[] {
  const result = [...operations];
  const sources = new Map<number, number>(); // for each pair: the only operation that writes it, or -1
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
      queue.push(result[index]); // the loop continues with it
    }
  return result;
}

function lastOfEachKey(writes: readonly KeyedValue[]): KeyedValue[] {
  return [...new Map(writes.map((each) => [each.key, each])).values()];
}

/** Splits a history into parts that share no key. The history is linearizable if each part is: linearizability is local (Herlihy and Wing 1990). */
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

/** A failed operation says nothing about the state. Neither does an operation without keys, or a read without an answer. */
function isRelevant({ outcome, expects, writes }: HistoryOperation): boolean {
  if (outcome === "failed") return false;
  if (outcome === "unknown") return writes.length > 0;
  return expects.length + writes.length > 0;
}
