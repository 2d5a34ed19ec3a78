/** Those who wait for the log to go on. Costs nothing where nobody does. */
export class Watchers {
  readonly #waiting = new Set<() => void>();

  add(resume: () => void): void {
    this.#waiting.add(resume);
  }

  delete(resume: () => void): void {
    this.#waiting.delete(resume);
  }

  /** Each is told once. */
  wake(): void {
    if (this.#waiting.size === 0) return;
    const told = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of told) resume();
  }
}
