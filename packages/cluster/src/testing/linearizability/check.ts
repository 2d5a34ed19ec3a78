import { type CompiledHistory, type CompiledOperation, compile, components } from "./compiled.js";
import type { HistoryOperation, KeyedValue, RegisterValue } from "./history.js";
import { Search, type SearchResult } from "./search.js";
import { shrinkHistory } from "./shrink.js";

/** How a history is checked. */
export interface LinearizabilityOptions {
  /** What a key has before the history. Default: every key is absent. */
  readonly initial?: ReadonlyMap<string, RegisterValue>;
  /** The most configurations that are looked at for operations that share keys. Default 2,000,000. */
  readonly maxConfigurations?: number;
  /** Whether a bad history is made small. Default true. */
  readonly shrink?: boolean;
}

/** Why a history is not linearizable. */
export interface LinearizabilityViolation {
  /** The operation that no order of the others explains, as far as the search came. */
  readonly stuck: HistoryOperation;
  /** What the keys of `stuck` had where the search came no farther. */
  readonly state: readonly KeyedValue[];
  /** The last operations on these keys before that, in the order in which they were placed. */
  readonly before: readonly HistoryOperation[];
  /** Operations on these keys that were under way, and not placed. */
  readonly beside: readonly HistoryOperation[];
  /** A part of the history that is not linearizable by itself, in order of the calls. Nothing can be left out of it. */
  readonly minimal: readonly HistoryOperation[];
}

/** What became of a check. */
export interface LinearizabilityResult {
  /** `undecided`: the search was ended at `maxConfigurations`. */
  readonly verdict: "linearizable" | "violation" | "undecided";
  /** Operations that took part; those that failed, and reads without an answer, do not. */
  readonly operations: number;
  /** Parts that share no key. */
  readonly components: number;
  /** Configurations that were looked at. */
  readonly configurations: number;
  /** Absent if the history is linearizable. If it is undecided: where the search came farthest. */
  readonly violation?: LinearizabilityViolation;
}

const DEFAULT_MAX_CONFIGURATIONS = 2_000_000;

/**
 * Whether there is an order of all operations in which each takes effect at one moment between its call and its return, and which explains
 * each answer: registers and conditional batches are linearizable (Herlihy and Wing 1990).
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
  if (deadEnd === undefined) throw new Error("a search that fails has come to a dead end"); // it is noted before each step back
  const { stuck, before, beside, state } = deadEnd;
  const sources = (all: readonly CompiledOperation[]) => all.map(({ source }) => source);
  const keys = new Set([...stuck.expects, ...stuck.writes].map((pair) => history.keyOfPair[pair] as number));
  const values = [...keys].map((key) => ({
    key: history.keys[key] as string,
    value: history.values[state[key] as number],
  }));
  return { stuck: stuck.source, state: values, before: sources(before), beside: sources(beside), minimal };
}
