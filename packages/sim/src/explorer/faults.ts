import type { Fault } from "@kaya/io";

/** A fault by name, without its place. */
export function describeFault(fault: Fault): string {
  if (fault.kind === "partial-write") return `a write that stops after ${fault.bytes} bytes`;
  if (fault.kind === "read-error" || fault.outcome === undefined) return fault.kind;
  return `${fault.kind} (${fault.outcome})`;
}
