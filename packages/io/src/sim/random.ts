/**
 * Deterministic random numbers: splitmix32, the 32-bit form of Steele, Lea and Flood's SplitMix ("Fast Splittable
 * Pseudorandom Number Generators", OOPSLA 2014) with the mixing constants of Murmur3's finalizer. The same seed
 * gives the same numbers on every machine; it is for tests, not for secrets.
 */
export class Random {
  #state: number;

  /** `seeds` are mixed one after the other; each may be any safe integer. */
  constructor(...seeds: readonly number[]) {
    this.#state = 0;
    for (const seed of seeds) {
      this.#state = this.uint32() ^ (seed | 0);
      this.#state = this.uint32() ^ (Math.floor(seed / 2 ** 32) | 0);
    }
  }

  /** From 0 to 2^32 - 1. */
  uint32(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x85ebca6b);
    mixed ^= mixed >>> 13;
    mixed = Math.imul(mixed, 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  }

  /** A whole number from 0 to `limit - 1`; `limit` from 1 to 2^32. */
  below(limit: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * limit);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.uint32() < probability * 2 ** 32;
  }

  /** One of `choices`, which must not be empty. */
  pick<const T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0];
  }

  /** So many random bytes. */
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.uint32();
    return bytes;
  }
}
