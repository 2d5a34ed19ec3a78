import type { LinearizabilityResult } from "./check.js";
import type { HistoryOperation, KeyedValue } from "./history.js";

const MOST_SHOWN = 40;

/**
 * Describes the result of a check. For a violation: the operation that cannot be placed, the operations around it, and the smallest part
 * that is not linearizable.
 */
export function describeLinearizability(result: LinearizabilityResult): string {
  const { verdict, operations, components, configurations, violation } = result;
  const size = `${operations} operations in ${components} parts, ${configurations} configurations`;
  if (violation === undefined) return `linearizable: ${size}`;
  const { stuck, state, before, beside, minimal } = violation;
  const head =
    verdict === "violation"
      ? `not linearizable: ${size}`
      : `undecided: the search stopped after ${configurations} configurations (${operations} operations in ${components} parts)`;
  return [
    head,
    "the search ended at this operation, which must be placed before it returns:",
    `  ${describeOperation(stuck)}`,
    `its keys then had: ${state.map(describeValue).join(", ")}`,
    ...section("operations placed before it, in this order:", before),
    ...section("concurrent operations that are not placed:", beside),
    ...(verdict === "violation"
      ? section(`the smallest part that is not linearizable (${minimal.length} operations):`, minimal)
      : []),
  ].join("\n");
}

function section(title: string, operations: readonly HistoryOperation[]): string[] {
  if (operations.length === 0) return [];
  const shown = operations.slice(0, MOST_SHOWN).map((operation) => `  ${describeOperation(operation)}`);
  const rest = operations.length - MOST_SHOWN;
  return [title, ...shown, ...(rest > 0 ? [`  and ${rest} more`] : [])];
}

/** An operation on one line: its times, its process, and its content. */
export function describeOperation(operation: HistoryOperation): string {
  const { process, name, invoked, returned, outcome, expects, writes, hint } = operation;
  const when = `[${invoked}, ${outcome === "unknown" ? "…" : returned}]`;
  const parts = [
    ...(expects.length > 0
      ? [`${writes.length > 0 ? "if" : "saw"} ${expects.map(describeValue).join(", ")}`]
      : []),
    ...(writes.length > 0 ? [`writes ${writes.map(describeValue).join(", ")}`] : []),
  ];
  const answer = outcome === "ok" && writes.length === 0 ? "" : ` -> ${outcome}`;
  return `${when} ${process} ${name} ${parts.join(" ")}${answer}${hint === undefined ? "" : ` (at ${hint})`}`;
}

function describeValue({ key, value }: KeyedValue): string {
  return `${key}=${value ?? "(absent)"}`;
}
