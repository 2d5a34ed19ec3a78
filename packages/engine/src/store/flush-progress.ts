/** After so many entries whoever waits looks again: about as many as a flush writes in one turn. */
const STEP_ENTRIES = 512;

/** How far a memtable is written into its table, for those who wait for it. */
export class FlushProgress {
  readonly #entries: number;
  #written = 0;
  #isOver = false;
  #more: Promise<void> | undefined;
  #wake: () => void = () => undefined;

  constructor(entries: number) {
    this.#entries = entries;
  }

  /** From 0 to 1: 1 once all entries are written, or nothing is going to come of it. */
  get share(): number {
    return this.#isOver ? 1 : this.#written / this.#entries;
  }

  /** Another entry is written. */
  step(): void {
    this.#written++;
    if (this.#written % STEP_ENTRIES === 0) this.#tell();
  }

  end(): void {
    this.#isOver = true;
    this.#tell();
  }

  /** Resolves once `share` is more than it is. */
  more(): Promise<void> {
    this.#more ??= new Promise((resolve) => {
      this.#wake = resolve;
    });
    return this.#more;
  }

  #tell(): void {
    if (this.#more === undefined) return;
    this.#more = undefined;
    this.#wake();
  }
}
