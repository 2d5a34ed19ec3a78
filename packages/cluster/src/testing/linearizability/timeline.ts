import type { CompiledOperation } from "./compiled.js";

const NONE = -1;

/**
 * The invocations and responses of the operations that must be placed, in real-time order, as a doubly linked list. A placed operation is
 * lifted out of the list, and put back when the search goes back (Wing and Gong 1993, in the form of Lowe 2017). Operations of unknown
 * outcome have no response, and are not in the list.
 */
export class Timeline {
  /** The event 2 * i is the invocation of operation i, and 2 * i + 1 its response. The last index is the head of the list. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #head: number;

  constructor(operations: readonly CompiledOperation[]) {
    this.#head = 2 * operations.length;
    this.#next = new Int32Array(this.#head + 1).fill(NONE);
    this.#previous = new Int32Array(this.#head + 1).fill(NONE);
    const events = operations.flatMap(({ isUnknown, invoked, returned }, index) => {
      if (isUnknown) return [];
      // At the same moment, invocations come before responses: the two operations count as concurrent.
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

  /** True if all operations are placed. */
  get isEmpty(): boolean {
    return this.#next[this.#head] === NONE;
  }

  /** The operations that may come next: those that were invoked before the first response. */
  *candidates(): Generator<number> {
    for (let event = this.#after(this.#head); event !== NONE && event % 2 === 0; ) {
      const following = this.#after(event); // the caller may place it
      yield event / 2;
      event = following === event + 1 ? this.#resume(event, following) : following;
    }
  }

  /** The operation that responds first. It must be placed before any later invocation. */
  get firstToReturn(): number | undefined {
    let event = this.#after(this.#head);
    while (event !== NONE && event % 2 === 0) event = this.#after(event);
    return event === NONE ? undefined : (event - 1) / 2;
  }

  lift(operation: number): void {
    for (const event of [2 * operation, 2 * operation + 1]) {
      const [before, following] = [this.#previous[event] as number, this.#after(event)];
      this.#next[before] = following;
      if (following !== NONE) this.#previous[following] = before;
    }
  }

  /** Reverses `lift`. Operations must be put back in the reverse order of lifting. */
  putBack(operation: number): void {
    for (const event of [2 * operation + 1, 2 * operation]) {
      const [before, following] = [this.#previous[event] as number, this.#after(event)];
      this.#next[before] = event;
      if (following !== NONE) this.#previous[following] = event;
    }
  }

  /** The next event after a call whose own response followed it. If the caller placed the operation, both events are gone from the list. */
  #resume(call: number, returned: number): number {
    const before = this.#previous[call] as number;
    return this.#after(before) === call ? returned : this.#after(before);
  }

  #after(event: number): number {
    return this.#next[event] as number;
  }
}
