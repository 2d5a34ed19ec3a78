import { itemAt } from "./words.js";

const SLOTS_SHIFT = 9;
export const PAGE_SLOTS = 1 << SLOTS_SHIFT;
/** A slot is two words: the hash, and the address (0: free). */
const PAGE_WORDS = 2 * PAGE_SLOTS;
const PAGES_SHIFT = 4;
const BLOCK_PAGES = 1 << PAGES_SHIFT;

/** The pages of the hash index. */
export class HashPages {
  readonly #blocks: Int32Array[] = [];
  #count = 0;

  /** Adds an empty page. They are numbered from 0. */
  add(): number {
    const page = this.#count++;
    if (page === this.#blocks.length << PAGES_SHIFT)
      this.#blocks.push(new Int32Array(BLOCK_PAGES * PAGE_WORDS));
    return page;
  }

  /** The words in which the page stands, from `startOf(page)`. */
  wordsOf(page: number): Int32Array {
    return itemAt(this.#blocks, page >>> PAGES_SHIFT);
  }

  startOf(page: number): number {
    return (page & (BLOCK_PAGES - 1)) << (SLOTS_SHIFT + 1);
  }

  /** A copy of the words of a page, which is empty afterwards. */
  take(page: number): Int32Array {
    const start = this.startOf(page);
    const words = this.wordsOf(page);
    const taken = words.slice(start, start + PAGE_WORDS);
    words.fill(0, start, start + PAGE_WORDS);
    return taken;
  }

  /** In pages that are in use. */
  get usedBytes(): number {
    return this.#count * PAGE_WORDS * 4;
  }

  get byteLength(): number {
    return this.#blocks.length * BLOCK_PAGES * PAGE_WORDS * 4;
  }
}
