/**
 * Mutating operations wait here until the simulation lets them through, so a run can stop at any operation. When the process dies, waiting
 * ones never happen and never answer.
 */
export class Gate {
  readonly #waiting: (() => void)[] = [];
  #allows: () => boolean = closed;
  #isDead = false;
  #moves = 0;

  /** A gate that is always open. */
  static open(): Gate {
    const gate = new Gate();
    gate.openWhile(() => true);
    return gate;
  }

  /** Lets waiting and coming operations through, as long as `allows` permits each. */
  openWhile(allows: () => boolean): void {
    this.#allows = allows;
    while (this.#waiting.length > 0 && allows()) this.#waiting.shift()?.();
  }

  close(): void {
    this.#allows = closed;
  }

  /** Nothing waits: the process works without a disk. */
  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** How often something was done on a disk, reads included: while that grows, something moves. */
  get moves(): number {
    return this.#moves;
  }

  noteMove(): void {
    this.#moves++;
  }

  die(): void {
    this.#isDead = true;
    this.#waiting.length = 0;
  }

  pass<T>(begin: () => Promise<T>): Promise<T> {
    if (this.#isDead) return never();
    this.#moves++;
    if (this.#waiting.length === 0 && this.#allows()) return begin();
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        this.#moves++;
        begin().then(resolve, reject);
      });
    });
  }
}

export function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}

function closed(): boolean {
  return false;
}
