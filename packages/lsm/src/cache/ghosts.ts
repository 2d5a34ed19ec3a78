/**
 * Remembers recently evicted items, by fingerprints in a table without chains: a later one replaces an earlier one. A forgotten or confused
 * one costs only a little of the hit ratio.
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

  /** Whether it is remembered; forgets it. */
  take(fingerprint: number): boolean {
    const slot = fingerprint & this.#mask;
    if (this.#slots[slot] !== fingerprint) return false;
    this.#slots[slot] = 0;
    return true;
  }
}
