import { invariant, type SequenceNumber } from "@kaya/core";
import { type EntryKind, EXPIRING, PUT, TOMBSTONE } from "@kaya/lsm";
import type { Now } from "../clock.js";
import { type Address, Arena, MAX_ARENA_BYTES, NO_ADDRESS } from "./arena.js";
import { auditMemtable } from "./audit.js";
import { compareBytes } from "./bytes.js";
import { type HashSecret, hashKey, newHashSecret } from "./hash.js";
import { HashIndex } from "./hash-index.js";
import { MemtableSnapshot } from "./memtable-snapshot.js";
import { NodePool } from "./node-pool.js";
import { Pins } from "./pins.js";
import { RangeTombstones } from "./range-tombstones.js";
import {
  addRecord,
  addRecordOwning,
  fitsInPlace,
  kindOf,
  overwriteValue,
  sequenceOf,
  valueLengthOf,
} from "./record.js";
import { RECORD, retiredKinds } from "./retired.js";
import { type KeyState, StateReader } from "./state-reader.js";
import { Tree } from "./tree.js";

export type { KeyRange } from "./key-range.js";
export type { KeyState } from "./state-reader.js";

const NO_VALUE = new Uint8Array(0);

/** A memtable must be sealed before its `usedBytes` are more: about 7 GiB, where addresses of 32 bits may end. */
export const MAX_MEMTABLE_BYTES = MAX_ARENA_BYTES - 2 ** 20;

/** All in bytes but for `snapshots`. */
export interface MemtableMemory {
  /** Taken from the process, but for the range tombstones: those are small objects. */
  readonly allocated: number;
  /** In the entries and range tombstones of the present, and in what finds and orders them. */
  readonly live: number;
  /** In what was freed and not used again. */
  readonly dead: number;
  /** In records: those of the present, and those that are kept for snapshots. */
  readonly records: number;
  /** In what is out of the present and kept for snapshots. */
  readonly pinned: number;
  /** The number of points in time that are held open. */
  readonly snapshots: number;
}

export interface MemtableOptions {
  /** Default: random, so that nobody can make keys that collide. */
  readonly hashSecret?: HashSecret;
  /** How many leading bits of a hash tell pages of the index apart; where they do not, the tree alone finds keys. For tests. */
  readonly maxHashBits?: number;
}

/**
 * The newest changes, in memory and ordered by key: of each key the last put or tombstone, and the range tombstones. Keys and values are
 * in an arena, a hash index finds them, a B+tree orders them; `docs/memtable.md` tells how. All of that is typed arrays: nothing is an
 * object per entry.
 *
 * It says nothing of keys that it was not told of. It gives little memory back: an engine seals it, flushes it and drops it as a whole.
 */
export class Memtable {
  readonly #secret: HashSecret;
  readonly #records = new Arena();
  readonly #nodes = new NodePool();
  readonly #index: HashIndex;
  readonly #pins: Pins;
  readonly #tree: Tree;
  readonly #ranges: RangeTombstones;
  readonly #reader: StateReader;
  /** What it takes without a change. */
  readonly #emptyBytes: number;
  #firstSequence: SequenceNumber | undefined;
  #puts = 0;
  #expiring = 0;
  #tombstones = 0;
  #keyBytes = 0;
  #valueBytes = 0;

  constructor(options: MemtableOptions = {}) {
    this.#secret = options.hashSecret ?? newHashSecret();
    this.#index = new HashIndex(this.#records, options.maxHashBits);
    this.#pins = new Pins(retiredKinds(this.#records, this.#nodes));
    this.#tree = new Tree(this.#records, new Arena(), this.#nodes, this.#pins);
    this.#ranges = new RangeTombstones(this.#pins);
    this.#reader = new StateReader(this.#records);
    this.#emptyBytes = this.#takenBytes;
  }

  /** The number of entries: `puts` and `tombstones`, those that a range tombstone hides too. */
  get size(): number {
    return this.#puts + this.#tombstones;
  }

  /** Those that expire too, also when their time has come. */
  get puts(): number {
    return this.#puts;
  }

  /** Of `puts` those that expire, also when their time has come. */
  get expiring(): number {
    return this.#expiring;
  }

  /** Without range tombstones. */
  get tombstones(): number {
    return this.#tombstones;
  }

  /** Range tombstones, as disjoint pieces: of those that overlapped, the newer has the place. */
  get rangeTombstones(): number {
    return this.#ranges.list.count;
  }

  /** There is neither an entry nor a range tombstone. */
  get isEmpty(): boolean {
    return this.size === 0 && this.#ranges.list.isEmpty;
  }

  /** Sum of the lengths of the keys of all entries. */
  get keyBytes(): number {
    return this.#keyBytes;
  }

  /** Sum of the lengths of the values of all entries. */
  get valueBytes(): number {
    return this.#valueBytes;
  }

  /** Sequence of the first change; undefined before it. */
  get firstSequence(): SequenceNumber | undefined {
    return this.#firstSequence;
  }

  /** Sequence of the last change; undefined before the first. */
  get lastSequence(): SequenceNumber | undefined {
    return this.#firstSequence && this.#tree.time;
  }

  /**
   * A copy of the key's value. Null: it was deleted here, alone or in a range, or has expired. Undefined: nothing here is about the key.
   * @param now asked only where the value expires
   */
  get(key: Uint8Array, now: Now): Uint8Array | null | undefined {
    return this.#reader.get(this.#find(hashKey(key, this.#secret), key), key, this.#ranges.list, now);
  }

  /**
   * What the newest operation on the key did; TOMBSTONE for a range tombstone too. It knows no time: what it says of a value that expires stays
   * when that has. Undefined: nothing here is about the key.
   */
  stateOf(key: Uint8Array): KeyState | undefined {
    return this.#reader.stateOf(this.#find(hashKey(key, this.#secret), key), key, this.#ranges.list);
  }

  /**
   * Gives the key a value. Copies both, but for a value that becomes the memtable's.
   * @param sequence above that of every change before
   * @param adopts the value is nobody else's any more, and stays as it is
   * @param expiresAt when the key loses it, in milliseconds since 1970; undefined: never
   */
  put(
    key: Uint8Array,
    value: Uint8Array,
    sequence: SequenceNumber,
    adopts = false,
    expiresAt: number | undefined = undefined,
  ): void {
    if (expiresAt === undefined) this.#set(key, PUT, value, sequence, adopts, 0);
    else this.#set(key, EXPIRING, value, sequence, adopts, expiresAt);
  }

  /**
   * Adds a tombstone, also for a key that is not here: tables below may have it.
   * @param sequence above that of every change before
   */
  delete(key: Uint8Array, sequence: SequenceNumber): void {
    this.#set(key, TOMBSTONE, NO_VALUE, sequence, false, 0);
  }

  /**
   * Deletes every key from `start` up to, but without, `end`, however many there are, and looks at none. Does nothing where that is no key.
   * @param end undefined: up to the last key
   * @param sequence above that of every change before
   */
  deleteRange(start: Uint8Array, end: Uint8Array | undefined, sequence: SequenceNumber): void {
    this.#advanceTo(sequence);
    if (end === undefined || compareBytes(start, end) < 0) this.#ranges.add(start, end, sequence);
    this.#pins.afterChange();
  }

  /** The state as of now, in constant time. */
  snapshot(): MemtableSnapshot {
    const { time, root } = this.#tree;
    const pin = this.#pins.open({ time, root, pieces: this.#ranges.list, size: this.size });
    return new MemtableSnapshot(this.#tree, this.#reader, pin, () => this.#pins.close(pin));
  }

  /**
   * The bytes that it takes beyond an empty one: entries, tombstones, range tombstones, indexes, what snapshots keep, and what was freed
   * and not used again. An engine seals by it.
   */
  get usedBytes(): number {
    return this.#takenBytes + this.#pins.keptObjectBytes - this.#emptyBytes;
  }

  /** What it takes, and why. */
  get memory(): MemtableMemory {
    const { records, separators, nodes } = this.#tree;
    const pinned = this.#pins.keptBytes;
    const dead = records.deadBytes + separators.deadBytes + nodes.deadBytes;
    return {
      allocated:
        records.allocatedBytes + separators.allocatedBytes + nodes.byteLength + this.#index.byteLength,
      live: this.#takenBytes + this.#pins.keptObjectBytes - pinned - dead,
      dead,
      records: records.liveBytes,
      pinned,
      snapshots: this.#pins.openPins.length,
    };
  }

  /** Checks every invariant. For tests. @throws KayaError KAYA_INVARIANT_VIOLATION */
  audit(): void {
    const counts = auditMemtable({
      tree: this.#tree,
      index: this.#index,
      list: this.#ranges.list,
      listBytes: this.#ranges.usedBytes,
      hashOf: (key) => hashKey(key, this.#secret),
    });
    const known = {
      puts: this.#puts,
      expiring: this.#expiring,
      tombstones: this.#tombstones,
      keyBytes: this.#keyBytes,
      valueBytes: this.#valueBytes,
    };
    for (const name of ["puts", "expiring", "tombstones", "keyBytes", "valueBytes"] as const) {
      invariant(
        counts[name] === known[name],
        "M2",
        `${name}: ${known[name]}, and the tree has ${counts[name]}`,
      );
    }
  }

  get #takenBytes(): number {
    const { records, separators, nodes } = this.#tree;
    return (
      records.usedBytes +
      separators.usedBytes +
      nodes.usedBytes +
      this.#index.usedBytes +
      this.#ranges.usedBytes
    );
  }

  #set(
    key: Uint8Array,
    kind: EntryKind,
    value: Uint8Array,
    sequence: SequenceNumber,
    adopts: boolean,
    expiresAt: number,
  ): void {
    this.#advanceTo(sequence);
    const hash = hashKey(key, this.#secret);
    const address = this.#find(hash, key);
    if (address === NO_ADDRESS) {
      const added = this.#add(key, kind, value, sequence, adopts, expiresAt);
      this.#tree.insert(key, added);
      this.#index.add(hash, added);
      this.#keyBytes += key.length;
    } else this.#overwrite(hash, address, key, kind, value, sequence, adopts, expiresAt);
    this.#count(kind, 1);
    this.#valueBytes += value.length;
    this.#pins.afterChange();
  }

  #count(kind: EntryKind, by: 1 | -1): void {
    if (kind === TOMBSTONE) this.#tombstones += by;
    else this.#puts += by;
    if (kind === EXPIRING) this.#expiring += by;
  }

  #overwrite(
    hash: number,
    address: Address,
    key: Uint8Array,
    kind: EntryKind,
    value: Uint8Array,
    sequence: SequenceNumber,
    adopts: boolean,
    expiresAt: number,
  ): void {
    this.#count(kindOf(this.#records, address), -1);
    this.#valueBytes -= valueLengthOf(this.#records, address);
    const isSeenBySnapshot = sequenceOf(this.#records, address) <= this.#pins.newestTime;
    if (!isSeenBySnapshot && !adopts && fitsInPlace(this.#records, address, value.length, kind)) {
      overwriteValue(this.#records, address, value, sequence, kind, expiresAt);
      return;
    }
    const by = this.#add(key, kind, value, sequence, adopts, expiresAt);
    this.#tree.replace(key, by);
    this.#index.replace(hash, address, by);
    this.#pins.retire(RECORD, address);
  }

  #add(
    key: Uint8Array,
    kind: EntryKind,
    value: Uint8Array,
    sequence: SequenceNumber,
    adopts: boolean,
    expiresAt: number,
  ): Address {
    const add = adopts ? addRecordOwning : addRecord;
    return add(this.#records, key, value, sequence, kind, expiresAt);
  }

  #find(hash: number, key: Uint8Array): Address {
    const address = this.#index.find(hash, key);
    if (address !== NO_ADDRESS || !this.#index.maySpill(hash)) return address;
    return this.#tree.find(this.#tree.root, key);
  }

  #advanceTo(sequence: SequenceNumber): void {
    invariant(sequence > this.#tree.time, "M1", "changes reach the memtable in the order of their sequences");
    this.#tree.time = sequence;
    this.#firstSequence ??= sequence;
  }
}
