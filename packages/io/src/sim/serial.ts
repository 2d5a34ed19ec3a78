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

  /** A copy that counts on independently. */
  fork(): Serial {
    return new Serial(this.#last);
  }
}
