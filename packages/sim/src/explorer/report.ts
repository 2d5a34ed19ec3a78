import { createHash } from "node:crypto";
import type { CrashKind } from "./crash-state.js";
import type { CrashViolation } from "./violation.js";

/** How many crash states were made and checked. */
export interface StateCounts {
  /** How many states were made. */
  readonly raw: number;
  /** States that differ in what is on the disk or in what was promised. Each of them was checked. */
  readonly distinct: number;
  /** How many of the distinct states are crashes inside recovery. */
  readonly insideRecovery: number;
  /** The distinct states by the kind that first led to them. */
  readonly byKind: Readonly<Partial<Record<CrashKind, number>>>;
}

/** What an exploration has checked and found. */
export interface ExplorationReport {
  /** The seed of the exploration. */
  readonly seed: number;
  /** Moments of the workload at which it was crashed. */
  readonly boundaries: number;
  /** The pairs of faults that struck one after the other in the workload, as text. */
  readonly faultPairs: readonly string[];
  /** How many crash states were made and checked. */
  readonly states: StateCounts;
  /** The states in which the check failed. */
  readonly violations: readonly CrashViolation[];
  /** False where it stopped early, at `maxViolations`. */
  readonly complete: boolean;
  /** Stands for all states that were checked: the same seed gives the same digest. */
  readonly digest: string;
  /** How long the exploration took, in milliseconds. */
  readonly durationMs: number;
}

/** How far an exploration is. */
export interface ExplorationProgress {
  /** How many moments of the workload are done. */
  readonly boundary: number;
  /** How many moments of the workload there are. */
  readonly boundaries: number;
  /** How many crash states were made and checked so far. */
  readonly states: StateCounts;
  /** How many violations were found so far. */
  readonly violations: number;
}

/** Counts while the exploration runs. */
export class Tally {
  readonly violations: CrashViolation[] = [];
  readonly #byKind: Partial<Record<CrashKind, number>> = {};
  readonly #hash = createHash("sha256");
  #raw = 0;
  #distinct = 0;
  #insideRecovery = 0;

  made(): void {
    this.#raw += 1;
  }

  checked(kind: CrashKind, depth: number, key: string): void {
    this.#distinct += 1;
    if (depth > 0) this.#insideRecovery += 1;
    this.#byKind[kind] = (this.#byKind[kind] ?? 0) + 1;
    this.#hash.update(key);
  }

  get states(): StateCounts {
    return {
      raw: this.#raw,
      distinct: this.#distinct,
      insideRecovery: this.#insideRecovery,
      byKind: { ...this.#byKind },
    };
  }

  digest(): string {
    return this.#hash.copy().digest("hex").slice(0, 16);
  }
}
