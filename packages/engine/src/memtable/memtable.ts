import { invariant, type SequenceNumber } from "@kaya/core";
import { type Address, Arena, NO_ADDRESS, sizeOf, standsAlone } from "./arena.js";
import { auditTree } from "./audit.js";
import { CopyOut } from "./copy-out.js";
import { type HashSecret, hashKey, newHashSecret } from "./hash.js";
import { HashIndex } from "./hash-index.js";
import { IndexLoader } from "./index-loader.js";
import { MemtableSnapshot } from "./memtable-snapshot.js";
import { NodePool } from "./node-pool.js";
import { Pins } from "./pins.js";
import {
  addRecord,
  copyRecord,
  fitsInPlace,
  keyOf,
  lengthOf,
  overwriteValue,
  recordLength,
  sequenceOf,
  valueLengthOf,
} from "./record.js";
import { RECORD, retiredKinds } from "./retired.js";
import { Tree } from "./tree.js";
import { Upkeep } from "./upkeep.js";

export type { KeyValue } from "./copy-out.js";
export type { KeyRange } from "./key-range.js";

/** What the hash and the tree take for an entry, about. */
const INDEX_BYTES = 40;

export interface MemtableMemory {
  readonly allocated: number;
  /** In the entries of the present, and in what finds and orders them. */
  readonly live: number;
  /** In what was freed, and not used again or given back yet. */
  readonly dead: number;
  /** In records: the live ones, and those that are kept for snapshots. */
  readonly records: number;
  /** In what is out of the present and kept for snapshots. */
  readonly pinned: number;
  readonly snapshots: number;
}

export interface MemtableOptions {
  /** Default: random, so that nobody can make keys that collide. */
  readonly hashSecret?: HashSecret;
  /** How many leading bits of a hash tell pages of the index apart; where they do not, the tree alone finds keys. For tests. */
  readonly maxHashBits?: number;
  /** How many chunks of memory the records may take. Default: as many as can be addressed. For tests. */
  readonly maxChunks?: number;
}

/**
 * The state of the store: all live entries, in memory, ordered by key. Keys and values are in an arena, a hash index finds
 * them, a B+tree orders them; `docs/memtable.md` tells how. All of it is typed arrays: nothing is an object per entry.
 */
export class Memtable {
  readonly #secret: HashSecret;
  readonly #records: Arena;
  readonly #index: HashIndex;
  readonly #loader: IndexLoader;
  readonly #copyOut: CopyOut;
  readonly #pins: Pins;
  readonly #tree: Tree;
  readonly #upkeep: Upkeep;
  #size = 0;
  #keyBytes = 0;
  #valueBytes = 0;

  constructor(options: MemtableOptions = {}) {
    this.#secret = options.hashSecret ?? newHashSecret();
    this.#records = new Arena(options.maxChunks);
    this.#index = new HashIndex(this.#records, options.maxHashBits);
    this.#loader = new IndexLoader(this.#index);
    this.#copyOut = new CopyOut(this.#records);
    const separators = new Arena();
    const nodes = new NodePool();
    this.#pins = new Pins(retiredKinds(this.#records, separators, nodes));
    this.#tree = new Tree(this.#records, separators, nodes, this.#pins);
    this.#upkeep = new Upkeep(this.#tree, (address) => this.#move(address));
  }

  /** How many entries there are. */
  get size(): number {
    return this.#size;
  }

  /** Sum of the lengths of all keys. */
  get keyBytes(): number {
    return this.#keyBytes;
  }

  /** Sum of the lengths of all values. */
  get valueBytes(): number {
    return this.#valueBytes;
  }

  /** A copy of the key's value. */
  get(key: Uint8Array): Uint8Array | undefined {
    const address = this.#find(hashKey(key, this.#secret), key);
    return address === NO_ADDRESS ? undefined : this.#copyOut.value(address);
  }

  has(key: Uint8Array): boolean {
    return this.#find(hashKey(key, this.#secret), key) !== NO_ADDRESS;
  }

  /** Of the operation that wrote the key's value. */
  sequenceOf(key: Uint8Array): SequenceNumber | undefined {
    const address = this.#find(hashKey(key, this.#secret), key);
    return address === NO_ADDRESS ? undefined : sequenceOf(this.#records, address);
  }

  /**
   * By how many bytes a put would make `usedBytes` grow, about; without `valueLength`, a delete. What a snapshot keeps is
   * not given back.
   */
  growthBy(key: Uint8Array, valueLength?: number): number {
    const added = valueLength === undefined ? 0 : sizeOf(recordLength(key.length, valueLength));
    const address = this.#find(hashKey(key, this.#secret), key);
    if (address === NO_ADDRESS) return added === 0 ? 0 : added + INDEX_BYTES;
    if (sequenceOf(this.#records, address) <= this.#pins.newestTime) return added;
    return added - sizeOf(lengthOf(this.#records, address)) - (added === 0 ? INDEX_BYTES : 0);
  }

  /** How many chunks may be added: an entry that `standsAlone` takes one, and so do about 192 KiB of others. */
  get chunksLeft(): number {
    return this.#records.chunksLeft;
  }

  /** Whether an entry takes a chunk for itself. */
  standsAlone(keyLength: number, valueLength: number): boolean {
    return standsAlone(recordLength(keyLength, valueLength));
  }

  /**
   * Adds the entry, or replaces value and sequence of its key. Copies key and value.
   * @param sequence above that of every change before
   */
  put(key: Uint8Array, value: Uint8Array, sequence: SequenceNumber): void {
    this.#advanceTo(sequence);
    const hash = hashKey(key, this.#secret);
    const address = this.#find(hash, key);
    if (address === NO_ADDRESS) this.#insert(hash, key, value, sequence);
    else this.#overwrite(hash, address, key, value, sequence);
    this.#valueBytes += value.length;
    this.#upkeep.afterChange(key.length + value.length);
  }

  /**
   * Adds the next of many entries, in key order, to a table that has been given nothing else and that nobody looks at yet;
   * `finishLoading` ends it.
   */
  load(key: Uint8Array, value: Uint8Array, sequence: SequenceNumber): void {
    this.#loader.add(hashKey(key, this.#secret), this.#addToTree(key, value, sequence));
    this.#valueBytes += value.length;
  }

  /** @param sequence of the last change that led to what was loaded */
  finishLoading(sequence: SequenceNumber): void {
    this.#loader.finish();
    this.#tree.time = sequence;
  }

  /**
   * Takes the key out, and leaves nothing of it.
   * @param sequence above that of every change before
   * @returns whether it was there
   */
  delete(key: Uint8Array, sequence: SequenceNumber): boolean {
    this.#advanceTo(sequence);
    return this.#remove(key);
  }

  /** Takes all of the keys out with one sequence. */
  deleteAll(keys: readonly Uint8Array[], sequence: SequenceNumber): void {
    this.#advanceTo(sequence);
    for (const key of keys) this.#remove(key);
  }

  #remove(key: Uint8Array): boolean {
    const hash = hashKey(key, this.#secret);
    const address = this.#find(hash, key);
    if (address === NO_ADDRESS) return false;
    const valueLength = valueLengthOf(this.#records, address);
    this.#tree.remove(key);
    this.#index.remove(hash, address);
    this.#pins.retire(RECORD, address);
    this.#size--;
    this.#keyBytes -= key.length;
    this.#valueBytes -= valueLength;
    this.#upkeep.afterChange(key.length + valueLength);
    return true;
  }

  /** The state as of now, in constant time. */
  snapshot(): MemtableSnapshot {
    const pin = this.#pins.open(this.#tree.time, this.#tree.root, this.#size);
    return new MemtableSnapshot(this.#tree, this.#copyOut, pin, () => {
      this.#pins.close(pin);
      this.#upkeep.afterRelease();
    });
  }

  /** What the entries, the indexes, and what snapshots keep take: `memory.allocated` without room that is not used or is being reclaimed. */
  get usedBytes(): number {
    const { records, separators, nodes } = this.#tree;
    return records.liveBytes + separators.liveBytes + nodes.liveBytes + this.#index.byteLength;
  }

  /** What it takes and why; all in bytes but for `snapshots`, which counts the points in time that are held open. */
  get memory(): MemtableMemory {
    const { records, separators, nodes } = this.#tree;
    const pinned = this.#pins.keptBytes;
    return {
      allocated:
        records.allocatedBytes + separators.allocatedBytes + nodes.byteLength + this.#index.byteLength,
      live: this.usedBytes - pinned,
      dead: records.deadBytes + separators.deadBytes,
      records: records.liveBytes,
      pinned,
      snapshots: this.#pins.openPins.length,
    };
  }

  /** Checks every invariant. For tests. @throws KayaError KAYA_INVARIANT_VIOLATION */
  audit(): void {
    const records = auditTree(this.#tree);
    invariant(records.size === this.#size, "M2", `the tree has ${records.size} of ${this.#size} entries`);
    for (const address of records) {
      const key = keyOf(this.#records, address);
      const hash = hashKey(key, this.#secret);
      const found = this.#index.find(hash, key);
      const isFound = found === address || (found === NO_ADDRESS && this.#index.maySpill(hash));
      invariant(isFound, "M2", "the index does not know a record");
    }
    invariant(this.#index.size <= this.#size, "M2", "the index knows records that are gone");
  }

  #insert(hash: number, key: Uint8Array, value: Uint8Array, sequence: SequenceNumber): void {
    this.#index.add(hash, this.#addToTree(key, value, sequence));
  }

  #addToTree(key: Uint8Array, value: Uint8Array, sequence: SequenceNumber): Address {
    const address = addRecord(this.#records, key, value, sequence);
    this.#tree.insert(key, address);
    this.#size++;
    this.#keyBytes += key.length;
    return address;
  }

  #overwrite(
    hash: number,
    address: Address,
    key: Uint8Array,
    value: Uint8Array,
    sequence: SequenceNumber,
  ): void {
    this.#valueBytes -= valueLengthOf(this.#records, address);
    const isSeenBySnapshot = sequenceOf(this.#records, address) <= this.#pins.newestTime;
    if (!isSeenBySnapshot && fitsInPlace(this.#records, address, value.length)) {
      overwriteValue(this.#records, address, value, sequence);
      return;
    }
    this.#replace(hash, key, address, addRecord(this.#records, key, value, sequence));
  }

  #replace(hash: number, key: Uint8Array, address: Address, by: Address): void {
    this.#tree.replace(key, by);
    this.#index.replace(hash, address, by);
    this.#pins.retire(RECORD, address);
  }

  #find(hash: number, key: Uint8Array): Address {
    const address = this.#index.find(hash, key);
    if (address !== NO_ADDRESS || !this.#index.maySpill(hash)) return address;
    return this.#tree.find(this.#tree.root, key);
  }

  /** For compaction: moves a record, unless it is there for a snapshot alone. */
  #move(address: Address): void {
    const key = keyOf(this.#records, address);
    const hash = hashKey(key, this.#secret);
    if (this.#find(hash, key) === address) {
      this.#replace(hash, key, address, copyRecord(this.#records, address));
    }
  }

  #advanceTo(sequence: SequenceNumber): void {
    invariant(sequence > this.#tree.time, "M1", "changes reach the memtable in the order of their sequences");
    this.#tree.time = sequence;
  }
}
