import { KayaError, type KayaErrorCode } from "@kaya/core";
import type { FaultPlan, FaultRule, MutatingKind } from "./faults.js";

/** One operation that reached the disk. What is refused before (a bad path, a closed handle) is none. */
export interface SimDiskEvent {
  /** The method's name. */
  readonly kind: MutatingKind | "list" | "lock" | "release" | "length" | "readAt" | "close";
  readonly path: string;
  /** `FaultRule.at` of a mutating operation; the others have none. */
  readonly index?: number;
  /** Where a read or write begins. */
  readonly position?: number;
  /** Bytes to write or asked for; the new length of a truncate. */
  readonly length?: number;
  /** The new name in a rename. */
  readonly target?: string;
  /** What it was rejected with. */
  readonly error?: KayaErrorCode;
}

type Mutation = SimDiskEvent & { readonly kind: MutatingKind };

/** Every operation passes here: it is numbered, met by the fault that waits for it, and written down. */
export class Operations {
  readonly events: SimDiskEvent[] = [];
  readonly #faults: FaultPlan;
  #next = 0;

  constructor(faults: FaultPlan) {
    this.#faults = faults;
  }

  /** The index of the next mutating operation. */
  get next(): number {
    return this.#next;
  }

  /** An operation that changes nothing. */
  observe<T>(event: SimDiskEvent, run: () => T): T {
    return this.#record(event, run);
  }

  /** An operation that changes something: `run` is to fail with the fault, where there is one. */
  mutate<T>(event: Mutation, run: (fault: FaultRule | undefined) => T): T {
    const index = this.#next++;
    return this.#record({ ...event, index }, () => run(this.#faults.find(index, event.kind)));
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
