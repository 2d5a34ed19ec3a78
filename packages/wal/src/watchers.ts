/** Callbacks that wait for the log to go on. Costs nothing without any. */
export class Watchers {
  readonly #waiting = new Set<() => void>();

  add(resume: () => void): void {
    this.#waiting.add(resume);
  }

  delete(resume: () => void): void {
    this.#waiting.delete(resume);
  }

  /** Calls each once. */
  wake(): void {
    if (this.#waiting.size === 0) return;
    const told = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of told) resume();
  }
}
