/** A value of a register; undefined: the key is absent. */
export type RegisterValue = string | undefined;

/** A key with its value. */
export interface KeyedValue {
  /** The key that was read or written. */
  readonly key: string;
  /** Its value; undefined: absent. */
  readonly value: RegisterValue;
}

/**
 * The outcome of an operation.
 *
 * - `ok`: it took effect once, between its invocation and its response. Its expectations held at that moment.
 * - `conflict`: it changed nothing. At some moment between its invocation and its response, one of its expectations did not hold.
 * - `failed`: it changed nothing, and says nothing about the state.
 * - `unknown`: it is pending. It took effect once at any moment after its invocation, also after its response or after the end of the
 *   history; or it never takes effect.
 */
export type OperationOutcome = "ok" | "conflict" | "failed" | "unknown";

/**
 * One operation on a replicated store: a call and its answer. A get expects the value that it read. A put or a delete writes one key. A
 * conditional batch or a transaction expects its conditions (or the values that it read), and writes several keys at one moment.
 */
export interface HistoryOperation {
  /** The node, client or thread that made the call. For messages. */
  readonly process: string;
  /** The kind of operation, such as "put", "get" or "batch". For messages. */
  readonly name: string;
  /** When it was invoked: any number that grows with time, on one clock for all processes. */
  readonly invoked: number;
  /** When it returned, on the same clock. Ignored if the outcome is `unknown`. */
  readonly returned: number;
  /** The outcome of the call. */
  readonly outcome: OperationOutcome;
  /** The values that it read, or that had to hold. Each key at most once. */
  readonly expects: readonly KeyedValue[];
  /** The values that it wrote. If a key comes twice, the last one counts. */
  readonly writes: readonly KeyedValue[];
  /** Its likely place in the order of all operations, for example its LSN. The search tries that order first, but also tries others. */
  readonly hint?: number;
}

/** A pending operation. */
export interface OpenCall {
  /** It took effect. `expects` replaces the expectations of the call, for example with the values that a get read. */
  ok(result?: { readonly expects?: readonly KeyedValue[]; readonly hint?: number }): void;
  /** An expectation did not hold. */
  conflict(): void;
  /** It is certain that it did nothing. */
  failed(): void;
  /** Its outcome is unknown. An operation that is never completed also has this outcome. */
  unknown(): void;
}

/** Records the operations of one process. A counter gives each moment a number, so the numbers have the order of the moments. */
export class HistoryRecorder {
  readonly #operations: HistoryOperation[] = [];
  readonly #open = new Set<() => void>();
  #moment = 0;

  /** Records an invocation. */
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

  /** All operations so far. Those without a response have the outcome `unknown`. */
  end(): readonly HistoryOperation[] {
    for (const unknown of [...this.#open]) unknown();
    return this.#operations;
  }
}
