import type { LinearizabilityResult } from "./check.js";
import type { HistoryOperation, KeyedValue } from "./history.js";

const MOST_SHOWN = 40;

/** A check in words: for a bad history the operation that fits nowhere, what is around it, and the smallest bad part. */
export function describeLinearizability(result: LinearizabilityResult): string {
  const { verdict, operations, components, configurations, violation } = result;
  const size = `${operations} operations in ${components} parts, ${configurations} configurations`;
  if (violation === undefined) return `linearizable: ${size}`;
  const { stuck, state, before, beside, minimal } = violation;
  const head =
    verdict === "violation"
      ? `not linearizable: ${size}`
      : `undecided: the search was ended after ${configurations} configurations (${operations} operations in ${components} parts)`;
  return [
    head,
    "the search came no farther than this operation, which must be placed before it returns:",
    `  ${describeOperation(stuck)}`,
    `there its keys had: ${state.map(describeValue).join(", ")}`,
    ...section("placed before it, in this order:", before),
    ...section("under way, and not placed:", beside),
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

/** An operation on one line: when, by which process, and what. */
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
