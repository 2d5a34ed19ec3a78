import { type Address, type Arena, NO_ADDRESS } from "./arena.js";
import { HashPages, PAGE_SLOTS } from "./hash-pages.js";
import { hasKey } from "./record.js";
import { itemAt, wordAt } from "./words.js";

const SLOT_MASK = PAGE_SLOTS - 1;
/** A page splits when it is this full: probing stays short. */
const FULL = Math.floor(PAGE_SLOTS * 0.8);
/** More bits of a hash than any amount of data needs. */
const MAX_DEPTH = 20;

/** What a page holds: the keys whose hash begins with `prefix`, of `depth` bits. */
interface Meta {
  depth: number;
  prefix: number;
  used: number;
  /** A key of this page may be missing from it: only the tree knows. */
  isSpilled: boolean;
}

/**
 * Finds the record of a key: extendible hashing (Fagin et al., 1979) in pages of 512 slots with linear probing. A directory
 * says in which page hashes with the same leading bits are. It grows by splitting one page at a time, some microseconds
 * each, where a table of one piece would stall for as long as all of it takes to move. The hash is kept beside the address:
 * a key that is absent costs no look at any record, and splitting looks at none either.
 *
 * The tree is the truth and this only the way to be fast: a page that cannot split any more spills, and stops to know it all.
 */
export class HashIndex {
  readonly #records: Arena;
  readonly #pages = new HashPages();
  readonly #meta: Meta[] = [];
  #directory = new Int32Array(2);
  #depth = 1;

  readonly #maxDepth: number;

  /** @param maxDepth leading bits of a hash that tell pages apart */
  constructor(records: Arena, maxDepth = MAX_DEPTH) {
    this.#records = records;
    this.#maxDepth = maxDepth;
    for (const prefix of [0, 1]) this.#directory[prefix] = this.#addPage(1, prefix);
  }

  /** How many records it knows. */
  get size(): number {
    return this.#meta.reduce((sum, { used }) => sum + used, 0);
  }

  /** In pages that are in use, and in the directory. */
  get usedBytes(): number {
    return this.#pages.usedBytes + this.#directory.byteLength;
  }

  get byteLength(): number {
    return this.#pages.byteLength + this.#directory.byteLength;
  }

  /** The record with this key, or `NO_ADDRESS`: then it is absent, unless `maySpill`. */
  find(hash: number, key: Uint8Array): Address {
    const page = this.#pageOf(hash);
    const words = this.#pages.wordsOf(page);
    const start = this.#pages.startOf(page);
    for (let slot = hash & SLOT_MASK; ; slot = (slot + 1) & SLOT_MASK) {
      const address = wordAt(words, start + 2 * slot + 1);
      if (address === NO_ADDRESS) return NO_ADDRESS;
      if (wordAt(words, start + 2 * slot) === hash && hasKey(this.#records, address, key)) return address;
    }
  }

  /** Whether a key with this hash may be there although it was not found here. */
  maySpill(hash: number): boolean {
    return itemAt(this.#meta, this.#pageOf(hash)).isSpilled;
  }

  /** Adds a record whose key is absent. */
  add(hash: number, address: Address): void {
    let page = this.#pageOf(hash);
    while (itemAt(this.#meta, page).used >= FULL) {
      if (!this.#split(page)) {
        itemAt(this.#meta, page).isSpilled = true;
        return;
      }
      page = this.#pageOf(hash);
    }
    this.#addTo(page, hash, address);
  }

  /** Another record of the same key takes the place of one. */
  replace(hash: number, from: Address, to: Address): void {
    const page = this.#pageOf(hash);
    const slot = this.#slotOf(page, hash, from);
    if (slot >= 0) this.#pages.wordsOf(page)[this.#pages.startOf(page) + 2 * slot + 1] = to;
  }

  #pageOf(hash: number): number {
    return wordAt(this.#directory, hash >>> (32 - this.#depth));
  }

  #addPage(depth: number, prefix: number): number {
    const page = this.#pages.add();
    this.#meta[page] = { depth, prefix, used: 0, isSpilled: false };
    return page;
  }

  #addTo(page: number, hash: number, address: Address): void {
    const words = this.#pages.wordsOf(page);
    const start = this.#pages.startOf(page);
    let slot = hash & SLOT_MASK;
    while (wordAt(words, start + 2 * slot + 1) !== NO_ADDRESS) slot = (slot + 1) & SLOT_MASK;
    words[start + 2 * slot] = hash;
    words[start + 2 * slot + 1] = address;
    itemAt(this.#meta, page).used++;
  }

  /** -1 where the record is not in the page: it was spilled. */
  #slotOf(page: number, hash: number, wanted: Address): number {
    const words = this.#pages.wordsOf(page);
    const start = this.#pages.startOf(page);
    for (let slot = hash & SLOT_MASK; ; slot = (slot + 1) & SLOT_MASK) {
      const address = wordAt(words, start + 2 * slot + 1);
      if (address === wanted) return slot;
      if (address === NO_ADDRESS) return -1;
    }
  }

  /** False where the page cannot be split: too many of its hashes are the same. */
  #split(page: number): boolean {
    const meta = itemAt(this.#meta, page);
    if (meta.depth === this.#maxDepth) return false;
    if (meta.depth === this.#depth) this.#doubleDirectory();
    meta.depth++;
    meta.prefix <<= 1;
    const twin = this.#addPage(meta.depth, meta.prefix | 1);
    itemAt(this.#meta, twin).isSpilled = meta.isSpilled;
    this.#point(twin);
    this.#pour(page);
    return true;
  }

  /** Takes out all that a page holds and adds it where the directory says. */
  #pour(page: number): void {
    const slots = this.#pages.take(page);
    itemAt(this.#meta, page).used = 0;
    for (let i = 0; i < slots.length; i += 2) {
      const address = wordAt(slots, i + 1);
      if (address === NO_ADDRESS) continue;
      const hash = wordAt(slots, i);
      this.#addTo(this.#pageOf(hash), hash, address);
    }
  }

  #doubleDirectory(): void {
    const doubled = new Int32Array(this.#directory.length * 2);
    for (let i = 0; i < doubled.length; i++) doubled[i] = wordAt(this.#directory, i >>> 1);
    this.#directory = doubled;
    this.#depth++;
  }

  /** Makes the directory lead to this page for all hashes that it holds. */
  #point(page: number): void {
    const { depth, prefix } = itemAt(this.#meta, page);
    const shift = this.#depth - depth;
    this.#directory.fill(page, prefix << shift, (prefix + 1) << shift);
  }
}
