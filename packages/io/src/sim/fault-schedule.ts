import {
  checkCount,
  checkFault,
  type Fault,
  type FaultSource,
  fits,
  type MutatingKind,
  type ReadingKind,
  type WriteFaultRule,
} from "./faults.js";

/**
 * A fault that waits for its turn, and then lets `after` operations pass of those that it could meet. With `only` it meets
 * operations of that kind alone, for example removals.
 */
export type ScheduledFault = Fault & { readonly after: number; readonly only?: MutatingKind };

/** A fault of a schedule that struck, and the operation that it met. */
export interface MetFault {
  /** The fault that was met. */
  readonly fault: ScheduledFault;
  /** `SimDiskEvent.index` or, for a read error, `SimDiskEvent.readIndex`. */
  readonly index: number;
  /** The kind of the operation that met it. */
  readonly operation: MutatingKind | ReadingKind;
  /** The path that the operation was about. */
  readonly path: string;
}

/**
 * Faults that strike one after the other: each begins to count operations when the one before it has struck. So the second of
 * two comes in what follows the first, whatever that is: the cleanup, another attempt, closing, the next opening.
 */
export class FaultSchedule implements FaultSource {
  readonly #waiting: ScheduledFault[];
  readonly #met: MetFault[] = [];
  #passed = 0;

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  constructor(faults: readonly ScheduledFault[]) {
    for (const fault of faults) {
      checkFault(fault);
      checkCount(fault.after, "after");
    }
    this.#waiting = [...faults];
  }

  /** The faults that struck, in order. */
  get met(): readonly MetFault[] {
    return this.#met;
  }

  /** How many operations that it fits the fault whose turn it is has let pass. */
  get passed(): number {
    return this.#passed;
  }

  /** Cancels all faults that have not struck yet. */
  cancel(): void {
    this.#waiting.length = 0;
  }

  /** The disk asks before each mutating operation. */
  meet(index: number, operation: MutatingKind, path: string): WriteFaultRule | undefined {
    const [fault] = this.#waiting;
    if (fault === undefined || fault.kind === "read-error") return undefined;
    if (!fits(fault, operation) || (fault.only !== undefined && fault.only !== operation)) return undefined;
    if (!this.#strikes(fault, index, operation, path)) return undefined;
    const { after, only, ...rest } = fault;
    return { ...rest, at: index };
  }

  /** The disk asks before each reading operation. */
  meetRead(index: number, operation: ReadingKind, path: string): boolean {
    const [fault] = this.#waiting;
    return fault?.kind === "read-error" && this.#strikes(fault, index, operation, path);
  }

  #strikes(
    fault: ScheduledFault,
    index: number,
    operation: MutatingKind | ReadingKind,
    path: string,
  ): boolean {
    if (this.#passed < fault.after) {
      this.#passed++;
      return false;
    }
    this.#passed = 0;
    this.#waiting.shift();
    this.#met.push({ fault, index, operation, path });
    return true;
  }
}
