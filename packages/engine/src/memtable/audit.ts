import { invariant } from "@kaya/core";
import { EXPIRING, TOMBSTONE } from "@kaya/lsm";
import { type Address, type Arena, NO_ADDRESS } from "./arena.js";
import { compareBytes } from "./bytes.js";
import type { HashIndex } from "./hash-index.js";
import {
  addressAt,
  birthOf,
  capacityOf,
  childAt,
  countOf,
  highsOf,
  INNER_CAPACITY,
  levelOf,
  lowsOf,
  NODE_WORDS,
  skipOf,
} from "./node-layout.js";
import { nodeStart } from "./node-pool.js";
import { prefixWord, sharedByAllBetween } from "./prefix.js";
import type { PieceList } from "./range-tombstones.js";
import { bytesOf, expiresAtOf, isFreed, keyOf, kindOf, valueLengthOf } from "./record.js";
import { NODE, OBJECT, RECORD } from "./retired.js";
import type { Tree } from "./tree.js";
import { itemAt } from "./words.js";

/** What is to be checked. */
export interface Audited {
  readonly tree: Tree;
  readonly index: HashIndex;
  /** Range tombstones of the present. */
  readonly list: PieceList;
  /** What they are said to take. */
  readonly listBytes: number;
  hashOf(key: Uint8Array): number;
}

export interface Counts {
  puts: number;
  expiring: number;
  tombstones: number;
  keyBytes: number;
  valueBytes: number;
}

interface Reached {
  readonly records: Set<Address>;
  readonly separators: Set<Address>;
  readonly nodes: Set<number>;
  readonly objects: Set<object>;
}

/**
 * Checks all that the memtable relies on, now and under each snapshot: order, fences, columns, equal height, range tombstones, and that
 * memory holds what is reached or kept for a snapshot, and nothing else. For tests.
 * @returns what the present has
 * @throws KayaError KAYA_INVARIANT_VIOLATION
 */
export function auditMemtable({ tree, index, list, listBytes, hashOf }: Audited): Counts {
  const now = reachFrom(tree, tree.root, list);
  checkList(list, listBytes);
  const held: Reached = {
    records: new Set(now.records),
    separators: new Set(now.separators),
    nodes: new Set(now.nodes),
    objects: new Set(now.objects),
  };
  addKept(tree, held);
  for (const { state } of tree.pins.openPins) {
    const seen = reachFrom(tree, state.root, state.pieces);
    check(seen.records.size === state.size, `a snapshot of ${state.size} entries has ${seen.records.size}`);
    for (const name of ["records", "separators", "nodes", "objects"] as const) {
      const isHeld = [...seen[name]].every((item) => (held[name] as Set<unknown>).has(item));
      check(isHeld, `a snapshot sees ${name} that were freed`);
    }
  }
  checkMemory(tree.records, held.records, "records");
  checkMemory(tree.separators, held.separators, "separators");
  const { live } = tree.nodes;
  check(live === held.nodes.size, `${live} nodes are in use, and ${held.nodes.size} are reached`);
  checkIndex(tree, index, hashOf, now.records);
  return countsOf(tree.records, now.records);
}

/** What open snapshots and those that close keep. */
function addKept(tree: Tree, held: Reached): void {
  const { openPins, closingPins, keptBytes, keptObjectBytes } = tree.pins;
  let bytes = 0;
  let objectBytes = 0;
  const add = <Item>(set: Set<Item>, item: Item): void => {
    check(!set.has(item), "something is kept twice, or kept and in the present");
    set.add(item);
  };
  for (const { kept } of [...openPins, ...closingPins]) {
    for (const item of itemAt(kept, RECORD) as Address[]) {
      add(held.records, item);
      bytes += bytesOf(tree.records, item);
    }
    for (const item of itemAt(kept, NODE) as number[]) add(held.nodes, item);
    bytes += itemAt(kept, NODE).length * NODE_WORDS * 4;
    for (const item of itemAt(kept, OBJECT)) {
      if (typeof item === "number") continue;
      add(held.objects, item);
      objectBytes += item.bytes;
    }
  }
  check(
    keptObjectBytes === objectBytes && keptBytes === bytes + objectBytes,
    `${keptBytes} bytes are said to be kept, and ${bytes + objectBytes} are`,
  );
}

function checkMemory(arena: Arena, addresses: ReadonlySet<Address>, what: string): void {
  let bytes = 0;
  for (const address of addresses) {
    check(!isFreed(arena, address), `one of the ${what} was freed`);
    bytes += bytesOf(arena, address);
  }
  check(
    arena.liveBytes === bytes,
    `${arena.liveBytes} bytes of ${what} are in use, and ${bytes} are reached`,
  );
  for (const [address, size] of arena.freed()) {
    check(isFreed(arena, address), `one of the ${what} is in a free list and in use`);
    bytes += size;
  }
  check(arena.filledBytes === bytes, `freed ${what} are in no free list`);
}

function checkIndex(
  tree: Tree,
  index: HashIndex,
  hashOf: (key: Uint8Array) => number,
  records: ReadonlySet<Address>,
): void {
  for (const address of records) {
    const key = keyOf(tree.records, address);
    const hash = hashOf(key);
    const found = index.find(hash, key);
    const isFound = found === address || (found === NO_ADDRESS && index.maySpill(hash));
    check(isFound, "the index does not know a record");
  }
  check(index.size <= records.size, "the index knows records that are gone");
}

function checkList(list: PieceList, listBytes: number): void {
  const { blocks, pieces, newest } = list;
  check(
    blocks.every((block) => block.pieces.length > 0),
    "a block of range tombstones is empty",
  );
  let end: Uint8Array | undefined = new Uint8Array(0);
  for (const piece of pieces) {
    check(end !== undefined && compareBytes(end, piece.start) <= 0, "range tombstones overlap");
    check(
      piece.end === undefined || compareBytes(piece.start, piece.end) < 0,
      "a range tombstone has no key",
    );
    check(
      piece.sequence <= piece.birth && piece.sequence <= newest,
      "a range tombstone is newer than the newest",
    );
    end = piece.end;
  }
  const isThere = newest === 0 ? pieces.length === 0 : pieces.some(({ sequence }) => sequence === newest);
  check(isThere, "the newest range tombstone is not there");
  const sum = [list, ...blocks, ...pieces].reduce((total, { bytes }) => total + bytes, 0);
  check(sum === listBytes, `${listBytes} bytes of range tombstones are in use, and ${sum} are reached`);
}

function countsOf(arena: Arena, records: ReadonlySet<Address>): Counts {
  const counts = { puts: 0, expiring: 0, tombstones: 0, keyBytes: 0, valueBytes: 0 };
  for (const address of records) {
    const kind = kindOf(arena, address);
    if (kind === TOMBSTONE) counts.tombstones++;
    else counts.puts++;
    if (kind === EXPIRING) {
      counts.expiring++;
      check(expiresAtOf(arena, address) >= 1, "a value that expires has no time");
    }
    counts.keyBytes += keyOf(arena, address).length;
    counts.valueBytes += valueLengthOf(arena, address);
  }
  return counts;
}

function reachFrom(tree: Tree, root: number, list: PieceList): Reached {
  const objects = new Set<object>([list, ...list.blocks, ...list.pieces]);
  const reached: Reached = { records: new Set(), separators: new Set(), nodes: new Set(), objects };
  visit(tree, root, { low: NO_ADDRESS, high: NO_ADDRESS, birth: Number.POSITIVE_INFINITY }, reached);
  return reached;
}

/** What the node's keys lie between, and when the node above it was made. */
interface Above {
  readonly low: Address;
  readonly high: Address;
  readonly birth: number;
}

function visit(tree: Tree, node: number, above: Above, reached: Reached): void {
  const { records, separators, nodes } = reached;
  const [words, at] = [tree.nodes.wordsOf(node), nodeStart(node)];
  const level = levelOf(words, at);
  const birth = birthOf(words, at);
  check(!nodes.has(node), "two nodes have the same child");
  nodes.add(node);
  // Else it could be changed in place although a snapshot sees it through an older parent.
  const { newestTime } = tree.pins;
  check(birth <= newestTime || above.birth > newestTime, "one may change a node, and not the one above it");
  checkKeys(tree, node, above);
  const count = countOf(words, at);
  for (let slot = 0; slot < count; slot++) {
    (level === 0 ? records : separators).add(addressAt(words, at, capacityOf(level), slot));
  }
  for (let i = 0; level > 0 && i <= count; i++) {
    const child = childAt(words, at, i);
    const low = i === 0 ? above.low : addressAt(words, at, INNER_CAPACITY, i - 1);
    const high = i === count ? above.high : addressAt(words, at, INNER_CAPACITY, i);
    check(
      levelOf(tree.nodes.wordsOf(child), nodeStart(child)) === level - 1,
      "the leaves are not all as deep",
    );
    visit(tree, child, { low, high, birth }, reached);
  }
}

function checkKeys(tree: Tree, node: number, { low, high }: Above): void {
  const [words, at] = [tree.nodes.wordsOf(node), nodeStart(node)];
  const level = levelOf(words, at);
  const capacity = capacityOf(level);
  const arena = level === 0 ? tree.records : tree.separators;
  const skip = skipOf(words, at);
  check(
    skip <= sharedByAllBetween(tree.separators, low, high),
    "a node leaves out bytes that not all its keys share",
  );
  let previous = low === NO_ADDRESS ? undefined : keyOf(tree.separators, low);
  for (let slot = 0; slot < countOf(words, at); slot++) {
    const key = keyOf(arena, addressAt(words, at, capacity, slot));
    const order = previous === undefined ? -1 : compareBytes(previous, key);
    check(order < 0 || (order === 0 && slot === 0 && level === 0), "keys are out of order");
    check(words[highsOf(at) + slot] === prefixWord(key, skip), "a column does not have its key's bytes");
    check(
      words[lowsOf(at, capacity) + slot] === prefixWord(key, skip + 4),
      "a column does not have its key's bytes",
    );
    previous = key;
  }
  const isBelow =
    previous === undefined || high === NO_ADDRESS || compareBytes(previous, keyOf(tree.separators, high)) < 0;
  check(isBelow || countOf(words, at) === 0, "a key is not below the separator above it");
}

function check(condition: boolean, message: string): void {
  invariant(condition, "M2", message);
}
