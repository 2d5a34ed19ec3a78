/** Numbers the unsynced operations of a disk, in the order in which they are done. */
export class Serial {
  #last: number;

  constructor(last = 0) {
    this.#last = last;
  }

  next(): number {
    this.#last += 1;
    return this.#last;
  }

  /** One that goes on from here by itself. */
  fork(): Serial {
    return new Serial(this.#last);
  }
}
