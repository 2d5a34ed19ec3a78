import type { CompiledOperation } from "./compiled.js";

const NONE = -1;

/**
 * Calls and returns of the operations that must be placed, in order of time, as a doubly linked list: an operation that is placed is lifted
 * out, and put back when the search goes back (Wing and Gong 1993, as Lowe 2017 has it). Operations of unknown outcome have no return, and are
 * not in it.
 */
export class Timeline {
  /** The event 2 * i is the call of operation i, and 2 * i + 1 its return. The last event is the head. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #head: number;

  constructor(operations: readonly CompiledOperation[]) {
    this.#head = 2 * operations.length;
    this.#next = new Int32Array(this.#head + 1).fill(NONE);
    this.#previous = new Int32Array(this.#head + 1).fill(NONE);
    const events = operations.flatMap(({ isUnknown, invoked, returned }, index) => {
      if (isUnknown) return [];
      // At one moment calls come before returns: the two operations count as concurrent.
      return [
        { event: 2 * index, at: invoked },
        { event: 2 * index + 1, at: returned },
      ];
    });
    events.sort((a, b) => a.at - b.at || (a.event % 2) - (b.event % 2) || a.event - b.event);
    let last = this.#head;
    for (const { event } of events) {
      this.#next[last] = event;
      this.#previous[event] = last;
      last = event;
    }
  }

  /** Every operation is placed. */
  get isEmpty(): boolean {
    return this.#next[this.#head] === NONE;
  }

  /** The operations that may be next: those that were called before the first return. */
  *candidates(): Generator<number> {
    for (let event = this.#after(this.#head); event !== NONE && event % 2 === 0; ) {
      const following = this.#after(event); // the caller may place it
      yield event / 2;
      event = following === event + 1 ? this.#resume(event, following) : following;
    }
  }

  /** The operation that returns first: it must be placed before any later call. */
  get firstToReturn(): number | undefined {
    let event = this.#after(this.#head);
    while (event !== NONE && event % 2 === 0) event = this.#after(event);
    return event === NONE ? undefined : (event - 1) / 2;
  }

  lift(operation: number): void {
    for (const event of [2 * operation, 2 * operation + 1]) {
      const [before, behind] = [this.#previous[event] as number, this.#after(event)];
      this.#next[before] = behind;
      if (behind !== NONE) this.#previous[behind] = before;
    }
  }

  /** Takes `lift` back; in the opposite order of lifting. */
  putBack(operation: number): void {
    for (const event of [2 * operation + 1, 2 * operation]) {
      const [before, behind] = [this.#previous[event] as number, this.#after(event)];
      this.#next[before] = event;
      if (behind !== NONE) this.#previous[behind] = event;
    }
  }

  /** The call's own return followed it: if the operation was placed meanwhile, its return is gone too. */
  #resume(call: number, returned: number): number {
    const before = this.#previous[call] as number;
    return this.#after(before) === call ? returned : this.#after(before);
  }

  #after(event: number): number {
    return this.#next[event] as number;
  }
}
