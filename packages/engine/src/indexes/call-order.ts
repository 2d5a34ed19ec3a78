/** Gives writes their places in the log in the order of their calls, also where one of them must read from the disk first. */
export class CallOrder {
  /** Resolves once the last of those that wait has its place; undefined where none waits. */
  #last: Promise<void> | undefined;

  /** Nothing waits: what is called now begins at once. */
  get isFree(): boolean {
    return this.#last === undefined;
  }

  /**
   * Calls at once where nothing waits.
   * @param place calls `placed` when it has its place; it counts as placed when it settles, too
   */
  run<T>(place: (placed: () => void) => Promise<T>): Promise<T> {
    let isPlaced = false;
    let tell = (): void => undefined;
    const placed = () => {
      isPlaced = true;
      tell();
    };
    const done = this.#last === undefined ? place(placed) : this.#last.then(() => place(placed));
    if (isPlaced) return done;
    const waiting = new Promise<void>((resolve) => {
      tell = resolve;
      done.then(placed, placed);
    });
    const last = waiting.then(() => {
      if (this.#last === last) this.#last = undefined;
    });
    this.#last = last;
    return done;
  }
}
