import { KayaError, type KayaErrorCode } from "@kaya/core";
import {
  type FaultPlan,
  failureOf,
  happensAllTheSame,
  type MutatingKind,
  type ReadingKind,
  readFailureOf,
  type WriteFaultRule,
} from "./faults.js";

/** One operation that reached the disk. What is refused before (a bad path, a closed handle) is none. */
export interface SimDiskEvent {
  /** The method's name. */
  readonly kind: MutatingKind | "list" | "lock" | "release" | "length" | "links" | "readAt" | "close";
  /** The path that the operation was about. */
  readonly path: string;
  /** `FaultRule.at` of a mutating operation; the others have none. */
  readonly index?: number;
  /** `FaultRule.atRead` of a reading operation; the others have none. */
  readonly readIndex?: number;
  /** Where a read or write begins. */
  readonly position?: number;
  /** Bytes to write or asked for; the new length of a truncate. */
  readonly length?: number;
  /** The new name in a rename. */
  readonly target?: string;
  /** The code of the error that it was rejected with; absent if it succeeded. */
  readonly error?: KayaErrorCode;
}

/**
 * Called right before each mutating operation takes effect, or fails: the disk is as a crash at this moment would find
 * it. It must not change the disk.
 */
export type OperationHook = (index: number, kind: MutatingKind, path: string) => void;

type Mutation = SimDiskEvent & { readonly kind: MutatingKind };
type Reading = SimDiskEvent & { readonly kind: ReadingKind };

/** Every operation passes here: it gets a number, meets its fault, and is recorded. */
export class Operations {
  readonly events: SimDiskEvent[] = [];
  readonly #faults: FaultPlan;
  readonly #hook: OperationHook | undefined;
  #next = 0;
  #nextRead = 0;

  constructor(faults: FaultPlan, hook: OperationHook | undefined) {
    this.#faults = faults;
    this.#hook = hook;
  }

  /** Counts on from another one. */
  goOnFrom(other: Operations): void {
    this.#next = other.#next;
    this.#nextRead = other.#nextRead;
  }

  /** The index of the next mutating operation. */
  get next(): number {
    return this.#next;
  }

  /** The index of the next reading operation. */
  get nextRead(): number {
    return this.#nextRead;
  }

  /** An operation that changes nothing and that no fault meets. */
  observe<T>(event: SimDiskEvent, run: () => T): T {
    return this.#record(event, run);
  }

  /** A reading operation. */
  read<T>(event: Reading, run: () => T): T {
    const readIndex = this.#nextRead++;
    const fault = this.#faults.findRead(readIndex, event.kind, event.path);
    if (fault === undefined) return this.#record({ ...event, readIndex }, run);
    const why = fault === "read-error" ? "I/O error" : "too many open files";
    return this.#record({ ...event, readIndex }, () => {
      throw readFailureOf(event.kind, event.path, `${why} at read ${readIndex}.`);
    });
  }

  /** A mutating operation, whole or not at all. */
  mutate<T>(event: Mutation, run: () => T): T {
    return this.mutateInParts(event, (fault) => {
      if (fault === undefined) return run();
      if (happensAllTheSame(fault)) run();
      throw failureOf(fault, event.kind, event.path);
    });
  }

  /** A mutating operation that a fault may leave half done: `run` must fail with the fault, if any. */
  mutateInParts<T>(event: Mutation, run: (fault: WriteFaultRule | undefined) => T): T {
    this.#hook?.(this.#next, event.kind, event.path);
    const index = this.#next++;
    return this.#record({ ...event, index }, () => run(this.#faults.find(index, event.kind, event.path)));
  }

  #record<T>(event: SimDiskEvent, run: () => T): T {
    try {
      const result = run();
      this.events.push(event);
      return result;
    } catch (error) {
      this.events.push(KayaError.is(error) ? { ...event, error: error.code } : event);
      throw error;
    }
  }
}
