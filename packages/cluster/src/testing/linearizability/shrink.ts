import { compile } from "./compiled.js";
import type { HistoryOperation, RegisterValue } from "./history.js";
import { Search } from "./search.js";

// If a trial is not decided within this number of configurations, its operations are kept.
const CONFIGURATIONS_A_TRIAL = 20_000;
const MAX_TRIALS = 2_000;

/**
 * Reduces a history: leaves out operations as long as the rest is still not linearizable. A write stays as long as an operation stays that
 * read its value: without the write, the rest would violate linearizability for another reason.
 */
export function shrinkHistory(
  operations: readonly HistoryOperation[],
  initialOf: (key: string) => RegisterValue,
  stuck: HistoryOperation | undefined,
): readonly HistoryOperation[] {
  let trials = 0;
  const isBad = (history: readonly HistoryOperation[]) => {
    if (++trials > MAX_TRIALS) return false;
    return new Search(compile(history, initialOf)).run(CONFIGURATIONS_A_TRIAL).verdict === "violation";
  };
  let rest: readonly HistoryOperation[] = operations;
  if (stuck !== undefined) {
    const until = cutAt(operations, stuck.returned);
    if (isBad(until)) rest = until;
  }
  for (let size = Math.ceil(rest.length / 2); ; size = Math.ceil(size / 2)) {
    let isSmaller = false;
    for (let from = 0; from < rest.length; ) {
      const left = withoutOrphans(rest, rest.slice(from, from + size));
      if (left.length < rest.length && isBad(left)) {
        rest = left;
        isSmaller = true;
      } else from += size;
    }
    if (size === 1 && !isSmaller) return rest;
  }
}

/** The history as it was known at a moment: the outcome of an operation that had not returned by then is unknown. */
function cutAt(operations: readonly HistoryOperation[], moment: number): readonly HistoryOperation[] {
  return operations.flatMap((operation) => {
    if (operation.invoked > moment) return [];
    if (operation.outcome === "unknown" || operation.returned <= moment) return [operation];
    return operation.writes.length > 0 && operation.outcome === "ok"
      ? [{ ...operation, outcome: "unknown" }]
      : [];
  });
}

/** Leaves out some operations, and all operations that read values which only these wrote. */
function withoutOrphans(
  operations: readonly HistoryOperation[],
  removed: readonly HistoryOperation[],
): readonly HistoryOperation[] {
  const written = writtenBy(operations);
  let rest = operations.filter((operation) => !removed.includes(operation));
  for (;;) {
    const left = writtenBy(rest);
    const isOrphan = ({ expects, outcome }: HistoryOperation) =>
      outcome !== "conflict" && expects.some((pair) => written.has(nameOf(pair)) && !left.has(nameOf(pair)));
    const next = rest.filter((operation) => !isOrphan(operation));
    if (next.length === rest.length) return rest;
    rest = next;
  }
}

function writtenBy(operations: readonly HistoryOperation[]): Set<string> {
  const written = operations.flatMap(({ outcome, writes }) => (outcome === "conflict" ? [] : writes));
  return new Set(written.map(nameOf));
}

function nameOf({ key, value }: { readonly key: string; readonly value: RegisterValue }): string {
  return JSON.stringify([key, value]);
}
