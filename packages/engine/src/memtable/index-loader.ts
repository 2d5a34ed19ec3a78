import type { Address } from "./arena.js";
import type { HashIndex } from "./hash-index.js";
import { itemAt } from "./words.js";

const RECORDS_AT_ONCE = 256;

/**
 * Adds many records to an index, some hundred at a time: it looks at all their places before it fills the first, so that the
 * processor waits for many of them at once and not for one after the other.
 */
export class IndexLoader {
  readonly #index: HashIndex;
  readonly #hashes: number[] = [];
  readonly #addresses: Address[] = [];
  /** See `fetchLines`. */
  fetched = 0;

  constructor(index: HashIndex) {
    this.#index = index;
  }

  /** Adds a record whose key is absent, now or later. */
  add(hash: number, address: Address): void {
    this.#hashes.push(hash);
    this.#addresses.push(address);
    if (this.#hashes.length === RECORDS_AT_ONCE) this.finish();
  }

  /** Adds what was not yet. */
  finish(): void {
    for (const hash of this.#hashes) this.fetched ^= this.#index.fetch(hash);
    for (let i = 0; i < this.#hashes.length; i++) {
      this.#index.add(itemAt(this.#hashes, i), itemAt(this.#addresses, i));
    }
    this.#hashes.length = 0;
    this.#addresses.length = 0;
  }
}
