/**
 * One promise for all records that settle together. Each `add` derives a promise of its own result. Reactions to a promise run in the order
 * they were added, so results are asked for in the order of the calls: a record costs one derived promise, no closure and no entry in a
 * list.
 */
export class Settlement<T> {
  readonly #fate: Promise<void>;
  #resolve!: () => void; // the executor runs inside the constructor
  #reject!: (error: unknown) => void;
  readonly #next: () => T;

  /** @param nextResult gives the results, first to last */
  constructor(nextResult: () => T) {
    this.#next = nextResult;
    this.#fate = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  add(): Promise<T> {
    return this.#fate.then(this.#next);
  }

  /** Settles with the others, without a result. */
  addBarrier(): Promise<void> {
    return this.#fate.then(ignore);
  }

  resolve(): void {
    this.#resolve();
  }

  reject(error: unknown): void {
    this.#reject(error);
  }
}

function ignore(): void {}
