/** A value of a register; undefined: the key is absent. */
export type RegisterValue = string | undefined;

/** A key, and what it has or gets. */
export interface KeyedValue {
  /** The key that was read or written. */
  readonly key: string;
  /** Its value; undefined: absent. */
  readonly value: RegisterValue;
}

/**
 * How a call ended.
 *
 * - `ok`: it took effect, once, between its call and its return. What it expected was so at that moment.
 * - `conflict`: it changed nothing. At some moment between its call and its return one of its expectations was not so.
 * - `failed`: it changed nothing, and says nothing about the state.
 * - `unknown`: it took effect once at any moment after its call, its return and the end of the history included, or never.
 */
export type OperationOutcome = "ok" | "conflict" | "failed" | "unknown";

/**
 * One call to a replicated store, and its answer. A get expects what it read; a put or a delete writes one key; a conditional batch or a
 * transaction expects its conditions (or what it read) and writes several keys at one moment.
 */
export interface HistoryOperation {
  /** For messages: the node, client or lane that made the call. */
  readonly process: string;
  /** For messages: "put", "get", "batch". */
  readonly name: string;
  /** When it was called: any number that grows with time, on one clock for all processes. */
  readonly invoked: number;
  /** When it returned, on the same clock. Ignored if the outcome is `unknown`. */
  readonly returned: number;
  /** How it ended. */
  readonly outcome: OperationOutcome;
  /** What it read, or what had to hold. No key twice. */
  readonly expects: readonly KeyedValue[];
  /** What it wrote. If a key is there twice, the last one counts. */
  readonly writes: readonly KeyedValue[];
  /**
   * Where it probably belongs in the order of all operations, for example its LSN. The search tries that order first, and does not
   * trust it.
   */
  readonly hint?: number;
}

/** A call that has not returned yet. */
export interface OpenCall {
  /** It took effect. `expects` replaces the expectations of the call: what a get read. */
  ok(result?: { readonly expects?: readonly KeyedValue[]; readonly hint?: number }): void;
  /** An expectation did not hold. */
  conflict(): void;
  /** It certainly did nothing. */
  failed(): void;
  /** Nobody knows. A call without any answer counts as this, too. */
  unknown(): void;
}

/** Collects the calls of one process, in which all moments are told apart by their order. */
export class HistoryRecorder {
  readonly #operations: HistoryOperation[] = [];
  readonly #open = new Set<() => void>();
  #moment = 0;

  /** A call begins. */
  call(call: Pick<HistoryOperation, "process" | "name"> & Partial<HistoryOperation>): OpenCall {
    const invoked = ++this.#moment;
    const end = (outcome: OperationOutcome, expects = call.expects ?? [], hint = call.hint) => {
      if (!this.#open.delete(unknown)) return; // the first answer counts
      const { process, name, writes = [] } = call;
      const returned = ++this.#moment;
      const operation = { process, name, invoked, returned, outcome, expects, writes };
      this.#operations.push(hint === undefined ? operation : { ...operation, hint });
    };
    const unknown = () => end("unknown");
    this.#open.add(unknown);
    return {
      ok: ({ expects, hint } = {}) => end("ok", expects, hint),
      conflict: () => end("conflict"),
      failed: () => end("failed"),
      unknown,
    };
  }

  /** All calls so far; those without an answer have the outcome `unknown`. */
  end(): readonly HistoryOperation[] {
    for (const unknown of [...this.#open]) unknown();
    return this.#operations;
  }
}
