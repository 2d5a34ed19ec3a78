import { Random } from "@kaya/io";

const LOW = 2 ** 21;

/**
 * The configurations that a search has visited. A configuration is the set of placed operations, and the state. Its key is a sum of random
 * numbers with 106 bits (Zobrist hashing), so one step changes it in constant time. Among 10^9 configurations, two have the same key with a
 * probability below 10^-13.
 */
export class Configurations {
  readonly #ofOperation: Numbers;
  readonly #ofPair: Numbers;
  readonly #seen = new Map<number, Set<number>>();
  #operationsLow = 0;
  #operationsHigh = 0;
  #stateLow = 0;
  #stateHigh = 0;
  /** The number of configurations. */
  count = 0;

  constructor(operations: number, pairs: number) {
    this.#ofOperation = new Numbers(operations, 1);
    this.#ofPair = new Numbers(pairs, 2);
  }

  /** Adds an operation to the placed ones, or removes it. */
  toggleOperation(operation: number): void {
    this.#operationsLow ^= this.#ofOperation.low(operation);
    this.#operationsHigh ^= this.#ofOperation.high(operation);
  }

  /** Adds a pair to the state, or removes it. */
  togglePair(pair: number): void {
    this.#stateLow ^= this.#ofPair.low(pair);
    this.#stateHigh ^= this.#ofPair.high(pair);
  }

  /** Adds the current configuration. False if it was already there. */
  add(): boolean {
    const operations = (this.#operationsLow >>> 0) * LOW + this.#operationsHigh;
    const state = (this.#stateLow >>> 0) * LOW + this.#stateHigh;
    const states = this.#seen.get(operations);
    if (states?.has(state)) return false;
    this.count++;
    if (states === undefined) this.#seen.set(operations, new Set([state]));
    else states.add(state);
    return true;
  }
}

/** Random numbers of 53 bits, one for each index. */
class Numbers {
  readonly #low: Int32Array;
  readonly #high: Int32Array;

  constructor(count: number, seed: number) {
    const random = new Random(seed);
    this.#low = Int32Array.from({ length: count }, () => random.uint32());
    this.#high = Int32Array.from({ length: count }, () => random.below(LOW));
  }

  low(index: number): number {
    return this.#low[index] as number;
  }

  high(index: number): number {
    return this.#high[index] as number;
  }
}
