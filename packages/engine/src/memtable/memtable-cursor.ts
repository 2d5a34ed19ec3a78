import { KayaError, type SequenceNumber } from "@kaya/core";
import { type EntryCursor, type EntryKind, EXPIRING } from "@kaya/lsm";
import { type Address, NO_ADDRESS } from "./arena.js";
import { fetchRecords } from "./fetch.js";
import { addressAt, childAt, countOf, INNER_CAPACITY, LEAF_CAPACITY, levelOf } from "./node-layout.js";
import { nodeStart } from "./node-pool.js";
import { search } from "./node-search.js";
import { expiresAtOf, keyOf, kindOf, sequenceOf, valueIn } from "./record.js";
import { childFor, type Tree } from "./tree.js";

/** What a move does in an inner node: takes the child at an end, or the one where a key belongs. */
type Toward = "first" | "last" | Uint8Array;

/**
 * A place among the entries under a root that stays as it is. No move waits. Keys and values are views of the memtable's own memory: they
 * stay valid until the snapshot is released, longer than `EntryCursor` says.
 */
export class MemtableCursor implements EntryCursor {
  readonly #tree: Tree;
  readonly #root: number;
  /** As long as the cursor is used, the snapshot is not dropped. */
  readonly source: object;
  /** The inner nodes above the leaf, from the root, and which of their children the leaf is below. */
  readonly #nodes: number[] = [];
  readonly #children: number[] = [];
  #words: Int32Array = new Int32Array(0);
  #at = 0;
  #slot = 0;
  #address: Address = NO_ADDRESS;
  /** The view of the key where it was asked for. */
  #key: Uint8Array | undefined;
  #isClosed = false;
  readonly #goesOverAll: boolean;
  /** See `fetchLines`. */
  fetched = 0;

  /** @param goesOverAll each record of a leaf is going to be looked at: they are fetched at once when the leaf is entered */
  constructor(tree: Tree, root: number, source: object, goesOverAll = false) {
    this.#tree = tree;
    this.#root = root;
    this.source = source;
    this.#goesOverAll = goesOverAll;
  }

  get key(): Uint8Array {
    this.#key ??= keyOf(this.#tree.records, this.#standing);
    return this.#key;
  }

  get kind(): EntryKind {
    return kindOf(this.#tree.records, this.#standing);
  }

  get sequence(): SequenceNumber {
    return sequenceOf(this.#tree.records, this.#standing);
  }

  get expiresAt(): number {
    const address = this.#standing;
    return kindOf(this.#tree.records, address) === EXPIRING ? expiresAtOf(this.#tree.records, address) : 0;
  }

  get value(): Uint8Array {
    return valueIn(this.#tree.records, this.#standing);
  }

  seekFirst(): boolean {
    this.#descendFromRoot("first");
    return this.#standAt(0);
  }

  seekLast(): boolean {
    this.#descendFromRoot("last");
    return this.#standAt(this.#count - 1);
  }

  seek(key: Uint8Array): boolean {
    this.#descendFromRoot(key);
    const found = this.#search(key);
    return this.#standAt(found < 0 ? ~found : found);
  }

  seekBefore(key: Uint8Array, inclusive: boolean): boolean {
    this.#descendFromRoot(key);
    const found = this.#search(key);
    return this.#standAt(found < 0 ? ~found - 1 : inclusive ? found : found - 1);
  }

  next(): boolean {
    return this.#isStanding() && this.#standAt(this.#slot + 1);
  }

  previous(): boolean {
    return this.#isStanding() && this.#standAt(this.#slot - 1);
  }

  close(): void {
    this.#isClosed = true;
    this.#leave();
  }

  get #standing(): Address {
    if (this.#address !== NO_ADDRESS) return this.#address;
    throw new KayaError("KAYA_INVARIANT_VIOLATION", "the cursor stands on no entry: move it first.");
  }

  get #count(): number {
    return countOf(this.#words, this.#at);
  }

  #isStanding(): boolean {
    this.#checkOpen();
    return this.#address !== NO_ADDRESS;
  }

  /** At a slot of the leaf, or, where that is beside it, at the nearest one of the leaf there. */
  #standAt(slot: number): boolean {
    this.#key = undefined;
    if (slot < 0) {
      if (!this.#turn(-1)) return this.#leave();
      this.#slot = this.#count - 1;
    } else if (slot >= this.#count) {
      if (!this.#turn(1)) return this.#leave();
      this.#slot = 0;
    } else this.#slot = slot;
    this.#address = addressAt(this.#words, this.#at, LEAF_CAPACITY, this.#slot);
    return true;
  }

  #leave(): false {
    this.#address = NO_ADDRESS;
    this.#key = undefined;
    return false;
  }

  #search(key: Uint8Array): number {
    return search(this.#words, this.#at, LEAF_CAPACITY, key, this.#tree.records);
  }

  /** To the leaf beside this one. False where there is none. */
  #turn(step: 1 | -1): boolean {
    for (let depth = this.#nodes.length - 1; depth >= 0; depth--) {
      const node = this.#nodes[depth] as number; // depth is below both lengths
      const child = (this.#children[depth] as number) + step;
      if (child < 0 || child > countOf(this.#tree.nodes.wordsOf(node), nodeStart(node))) continue;
      this.#nodes.length = depth;
      this.#children.length = depth;
      this.#descend(this.#take(node, child), step > 0 ? "first" : "last");
      return true;
    }
    return false;
  }

  #descendFromRoot(toward: Toward): void {
    this.#checkOpen();
    this.#nodes.length = 0;
    this.#children.length = 0;
    this.#descend(this.#root, toward);
  }

  #descend(from: number, toward: Toward): void {
    const { nodes, separators } = this.#tree;
    for (let node = from; ; ) {
      const words = nodes.wordsOf(node);
      const at = nodeStart(node);
      if (levelOf(words, at) === 0) {
        this.#words = words;
        this.#at = at;
        if (this.#goesOverAll) this.fetched = fetchRecords(this.#tree.records, words, at);
        return;
      }
      if (toward === "first") node = this.#take(node, 0);
      else if (toward === "last") node = this.#take(node, countOf(words, at));
      else node = this.#take(node, childFor(search(words, at, INNER_CAPACITY, toward, separators)));
    }
  }

  #take(node: number, child: number): number {
    this.#nodes.push(node);
    this.#children.push(child);
    return childAt(this.#tree.nodes.wordsOf(node), nodeStart(node), child);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new KayaError("KAYA_CLOSED", "the cursor is closed");
  }
}
