import { itemAt } from "./words.js";

const SLOTS_SHIFT = 9;
export const PAGE_SLOTS = 1 << SLOTS_SHIFT;
/** A slot is two words: the hash, and the address (0: free). */
const PAGE_WORDS = 2 * PAGE_SLOTS;
const PAGES_SHIFT = 4;
const BLOCK_PAGES = 1 << PAGES_SHIFT;

/** The pages of the hash index, without a gap: a page that goes leaves its place to the last one. */
export class HashPages {
  readonly #blocks: Int32Array[] = [];
  /** How many there are; they are numbered from 0. */
  count = 0;

  /** Adds an empty page. */
  add(): number {
    const page = this.count++;
    if (page === this.#blocks.length << PAGES_SHIFT)
      this.#blocks.push(new Int32Array(BLOCK_PAGES * PAGE_WORDS));
    else this.clear(page);
    return page;
  }

  /** The words in which the page stands, from `startOf(page)`. */
  wordsOf(page: number): Int32Array {
    return itemAt(this.#blocks, page >>> PAGES_SHIFT);
  }

  startOf(page: number): number {
    return (page & (BLOCK_PAGES - 1)) << (SLOTS_SHIFT + 1);
  }

  /** A copy of the page's words. */
  copyOf(page: number): Int32Array {
    const start = this.startOf(page);
    return this.wordsOf(page).slice(start, start + PAGE_WORDS);
  }

  clear(page: number): void {
    const start = this.startOf(page);
    this.wordsOf(page).fill(0, start, start + PAGE_WORDS);
  }

  /** Puts the last page in the place of this one. */
  replaceByLast(page: number): void {
    const last = --this.count;
    if (page !== last) this.wordsOf(page).set(this.copyOf(last), this.startOf(page));
    // One empty block stays: the next page may come at once.
    if (this.#blocks.length > ((this.count + BLOCK_PAGES - 1) >>> PAGES_SHIFT) + 1) this.#blocks.pop();
  }

  get byteLength(): number {
    return this.#blocks.length * BLOCK_PAGES * PAGE_WORDS * 4;
  }
}
