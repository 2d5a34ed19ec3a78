import { type CompiledHistory, type CompiledOperation, compile, components } from "./compiled.js";
import type { HistoryOperation, KeyedValue, RegisterValue } from "./history.js";
import { Search, type SearchResult } from "./search.js";
import { shrinkHistory } from "./shrink.js";

/** The options of a check. */
export interface LinearizabilityOptions {
  /** The value of each key before the history. Default: every key is absent. */
  readonly initial?: ReadonlyMap<string, RegisterValue>;
  /** The largest number of configurations that the search visits, for operations that share keys. Default 2,000,000. */
  readonly maxConfigurations?: number;
  /** Whether a history that is not linearizable is reduced to a small part. Default true. */
  readonly shrink?: boolean;
}

/** Why a history is not linearizable. */
export interface LinearizabilityViolation {
  /** The operation at which the longest partial order ended: no operation can come next before it returns. */
  readonly stuck: HistoryOperation;
  /** The values of the keys of `stuck` at the end of the longest partial order. */
  readonly state: readonly KeyedValue[];
  /** The last operations on these keys before that point, in the order in which they were placed. */
  readonly before: readonly HistoryOperation[];
  /** Operations on these keys that were concurrent with `stuck` and not placed. */
  readonly beside: readonly HistoryOperation[];
  /** A part of the history that is not linearizable, in the order of invocations. Without any one of its operations, the violation disappears. */
  readonly minimal: readonly HistoryOperation[];
}

/** The result of a check. */
export interface LinearizabilityResult {
  /** `undecided`: the search ended at `maxConfigurations`. */
  readonly verdict: "linearizable" | "violation" | "undecided";
  /** The number of checked operations. Failed operations, and reads without an answer, are not checked. */
  readonly operations: number;
  /** The number of parts that share no key. */
  readonly components: number;
  /** The number of configurations that the search visited. */
  readonly configurations: number;
  /** Absent if the history is linearizable. If it is undecided: the longest partial order that was found. */
  readonly violation?: LinearizabilityViolation;
}

const DEFAULT_MAX_CONFIGURATIONS = 2_000_000;

/**
 * Checks whether a history is linearizable (Herlihy and Wing 1990). The model is a set of registers with conditional batches. The history
 * is linearizable if there is a sequential order of all operations in which each operation takes effect at one moment between its
 * invocation and its response, and which explains each answer.
 */
export function checkLinearizability(
  operations: readonly HistoryOperation[],
  options: LinearizabilityOptions = {},
): LinearizabilityResult {
  const { initial, maxConfigurations = DEFAULT_MAX_CONFIGURATIONS, shrink = true } = options;
  const initialOf = (key: string) => initial?.get(key);
  const parts = components(operations);
  const counts = { operations: parts.reduce((sum, { length }) => sum + length, 0), components: parts.length };
  let configurations = 0;
  let undecided: LinearizabilityResult | undefined;
  for (const part of parts) {
    const history = compile(part, initialOf);
    const result = new Search(history).run(maxConfigurations);
    configurations += result.configurations;
    const { verdict } = result;
    if (verdict === "linearizable") continue;
    const isBad = verdict === "violation";
    const minimal = isBad && shrink ? shrinkHistory(part, initialOf, stuckAt(result)) : part;
    const found = { verdict, ...counts, configurations, violation: violationOf(history, result, minimal) };
    if (isBad) return found;
    undecided ??= found;
  }
  if (undecided !== undefined) return { ...undecided, configurations };
  return { verdict: "linearizable", ...counts, configurations };
}

function stuckAt({ deadEnd }: SearchResult): HistoryOperation | undefined {
  return deadEnd?.stuck.source;
}

function violationOf(
  history: CompiledHistory,
  { deadEnd }: SearchResult,
  minimal: readonly HistoryOperation[],
): LinearizabilityViolation {
  if (deadEnd === undefined) throw new Error("a failed search must have a dead end"); // the search records one before each step back
  const { stuck, before, beside, state } = deadEnd;
  const sources = (all: readonly CompiledOperation[]) => all.map(({ source }) => source);
  const keys = new Set([...stuck.expects, ...stuck.writes].map((pair) => history.keyOfPair[pair] as number));
  const values = [...keys].map((key) => ({
    key: history.keys[key] as string,
    value: history.values[state[key] as number],
  }));
  return { stuck: stuck.source, state: values, before: sources(before), beside: sources(beside), minimal };
}
