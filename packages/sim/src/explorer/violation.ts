import type { CrashReportItem } from "@kaya/io";
import type { Boundary } from "./boundary.js";
import type { CrashState } from "./crash-state.js";

/** One end: where it came, and what it left. */
export interface CrashPoint {
  /** `Boundary.index`: of the workload for the first point, of the recovery before it for those that follow. */
  readonly boundary: number;
  /** What was about to be done. */
  readonly before: string;
  /** The crash state: which of the unsynced operations survived. */
  readonly state: CrashState;
  /** What became of each unsynced operation. */
  readonly items: readonly CrashReportItem[];
}

/** A promise that was broken, with all that `reproduce` needs. Survives JSON, but for `error`. */
export interface CrashViolation {
  /** The seed of the exploration. */
  readonly seed: number;
  /** The crash of the workload, then those inside recovery. */
  readonly crashes: readonly CrashPoint[];
  /** The mutating operations of the workload up to the crash. */
  readonly operations: readonly string[];
  /** The message of `error`. */
  readonly message: string;
  /** What the check threw. */
  readonly error: unknown;
}

export function crashPoint(
  boundary: Boundary,
  state: CrashState,
  items: readonly CrashReportItem[],
): CrashPoint {
  const { index, next } = boundary;
  const before = next === undefined ? "the end" : `${next.kind} ${next.path === "" ? "(root)" : next.path}`;
  return { boundary: index, before, state, items };
}

/** The whole story, for people. */
export function describeCrashViolation(violation: CrashViolation): string {
  const operations = violation.operations.map((operation, index) => `  ${index} ${operation}`);
  const lines = [violation.message, `seed ${violation.seed}`, ...operations];
  for (const [depth, { boundary, before, state, items }] of violation.crashes.entries()) {
    const where = depth === 0 ? "operation" : "operation of the recovery that followed,";
    lines.push(`${state.kind} before ${where} ${boundary} (${before})`);
    for (const item of items) lines.push(`  ${formatItem(item)}`);
  }
  return lines.join("\n");
}

function formatItem({ item, outcome, torn }: CrashReportItem): string {
  const target = item.kind === "rename" ? ` -> ${item.target}` : "";
  const range = item.kind === "write" ? ` ${item.position}+${item.length}` : "";
  const length = item.kind === "truncate" ? ` to ${item.length}` : "";
  const how = torn === undefined ? outcome : `torn ${JSON.stringify(torn)}`;
  return `${item.kind} ${item.path}${target}${range}${length}: ${how}`;
}
