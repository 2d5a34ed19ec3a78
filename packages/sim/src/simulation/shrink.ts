import { KayaError } from "@kaya/core";
import type { SimulationResult } from "./result.js";
import { runTrace } from "./run-trace.js";
import { simplerSteps } from "./simpler-steps.js";
import type { Step } from "./steps.js";
import type { SimulationTarget } from "./target.js";
import type { Trace } from "./trace.js";

/** What is tested, and how long the search may take. */
export interface ShrinkOptions {
  /** The store that is tested. Default: the engine as it is. */
  readonly target?: SimulationTarget;
  /** Most runs that the search may take. Default 2,000. */
  readonly maxAttempts?: number;
  /** Ends the search; it resolves to the smallest trace so far. */
  readonly signal?: AbortSignal;
}

/** A shorter trace that breaks the same rule. */
export interface ShrunkTrace {
  /** The shorter trace. */
  readonly trace: Trace;
  /** The result of the shorter trace: it breaks the same rule as the one that was given. */
  readonly result: SimulationResult;
  /** How many runs the search took. */
  readonly attempts: number;
}

/**
 * Finds a trace of few and simple steps that breaks the same rule: leaves out ever smaller parts (delta debugging), then
 * makes single steps simpler, until neither helps.
 * @throws KayaError KAYA_INVALID_ARGUMENT where the trace breaks nothing
 */
export async function shrinkTrace(trace: Trace, options: ShrinkOptions = {}): Promise<ShrunkTrace> {
  const first = await runTrace(trace, options.target);
  if (first.violation === undefined) {
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `the trace of seed ${trace.seed} breaks no rule: nothing to shrink`,
    );
  }
  const shrinker = new Shrinker(trace, first, options);
  await shrinker.keepStepsThrough(first.violation.step);
  await shrinker.leaveOutStore();
  for (let before = Number.POSITIVE_INFINITY; shrinker.size < before; ) {
    before = shrinker.size;
    await shrinker.leaveOut();
    await shrinker.simplify();
  }
  return shrinker.smallest;
}

class Shrinker {
  readonly #options: ShrinkOptions;
  readonly #rule: string | undefined;
  #trace: Trace;
  #result: SimulationResult;
  #attempts = 1;

  constructor(trace: Trace, result: SimulationResult, options: ShrinkOptions) {
    this.#options = options;
    this.#rule = result.violation?.rule;
    this.#trace = trace;
    this.#result = result;
  }

  get smallest(): ShrunkTrace {
    return { trace: this.#trace, result: this.#result, attempts: this.#attempts };
  }

  /** Each success makes it smaller. */
  get size(): number {
    return this.#trace.steps.length * 1_000_000 + JSON.stringify(this.#trace.steps).length;
  }

  /** Steps after the violation have no part in it. */
  async keepStepsThrough(step: number): Promise<void> {
    await this.#try(this.#trace.steps.slice(0, step + 1));
  }

  /** Flushes and compacts only when asked. */
  async leaveOutStore(): Promise<void> {
    const { store, ...without } = this.#trace;
    if (store !== undefined) await this.#tryTrace(without);
  }

  async leaveOut(): Promise<void> {
    for (
      let part = Math.ceil(this.#trace.steps.length / 2);
      part >= 1 && !this.#isOver;
      part = Math.floor(part / 2)
    ) {
      // From the end: later steps depend on earlier ones, seldom the reverse.
      for (let end = this.#trace.steps.length; end > 0; end -= part) {
        const { steps } = this.#trace;
        await this.#try([...steps.slice(0, Math.max(0, end - part)), ...steps.slice(end)]);
      }
    }
  }

  async simplify(): Promise<void> {
    for (let i = 0; i < this.#trace.steps.length; i++) {
      for (let simpler = true; simpler && !this.#isOver; ) simpler = await this.#simplifyStep(i);
    }
  }

  async #simplifyStep(index: number): Promise<boolean> {
    const { steps } = this.#trace;
    const step = steps[index];
    if (step === undefined) return false;
    for (const simpler of simplerSteps(step)) {
      if (await this.#try(steps.with(index, simpler))) return true;
    }
    return false;
  }

  get #isOver(): boolean {
    return this.#attempts >= (this.#options.maxAttempts ?? 2000) || this.#options.signal?.aborted === true;
  }

  #try(steps: readonly Step[]): Promise<boolean> {
    return this.#tryTrace({ ...this.#trace, steps });
  }

  async #tryTrace(trace: Trace): Promise<boolean> {
    if (this.#isOver) return false;
    this.#attempts++;
    const result = await runTrace(trace, this.#options.target);
    if (result.violation?.rule !== this.#rule) return false;
    this.#trace = trace;
    this.#result = result;
    return true;
  }
}
