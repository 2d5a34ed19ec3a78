/**
 * Remembers what was put out of the cache lately, by fingerprints in a table without chains: a later one takes the place of an
 * earlier one. What is forgotten or confused costs a little of the hit ratio, and nothing else.
 */
export class Ghosts {
  readonly #slots: Int32Array;
  readonly #mask: number;

  /** @param items about how many are in the cache */
  constructor(items: number) {
    const slots = 2 ** Math.min(24, Math.max(8, Math.ceil(Math.log2(2 * items))));
    this.#slots = new Int32Array(slots);
    this.#mask = slots - 1;
  }

  get byteLength(): number {
    return this.#slots.byteLength;
  }

  add(fingerprint: number): void {
    this.#slots[fingerprint & this.#mask] = fingerprint;
  }

  /** Whether it is remembered; then no more. */
  take(fingerprint: number): boolean {
    const slot = fingerprint & this.#mask;
    if (this.#slots[slot] !== fingerprint) return false;
    this.#slots[slot] = 0;
    return true;
  }
}
