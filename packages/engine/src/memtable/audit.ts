import { invariant } from "@kaya/core";
import { type Address, type Arena, NO_ADDRESS, sizeOf } from "./arena.js";
import { compareBytes } from "./bytes.js";
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
  skipOf,
} from "./node-layout.js";
import { nodeStart } from "./node-pool.js";
import { prefixWord, sharedByAllBetween } from "./prefix.js";
import { isFreed, keyOf, lengthOf } from "./record.js";
import type { Tree } from "./tree.js";
import { itemAt } from "./words.js";

/** Addresses of records, those of separators, and numbers of nodes: in the order of `retired.ts`. */
type Reached = readonly [records: Set<Address>, separators: Set<Address>, nodes: Set<number>];

/**
 * Checks all that the tree relies on, now and under each snapshot: order, fences, columns, equal height, and that memory
 * holds what is reached or kept for a snapshot, and nothing else. For tests.
 * @returns the records of now
 * @throws KayaError KAYA_INVARIANT_VIOLATION
 */
export function auditTree(tree: Tree): ReadonlySet<Address> {
  const now = reachFrom(tree, tree.root);
  const held: Reached = [new Set(now[0]), new Set(now[1]), new Set(now[2])];
  for (const pin of [...tree.pins.openPins, ...tree.pins.closingPins]) {
    pin.kept.forEach((items, kind) => {
      for (const item of items) {
        const set = itemAt<Set<number>>(held, kind);
        check(!set.has(item), "something is kept twice, or kept and in the tree");
        set.add(item);
      }
    });
  }
  for (const pin of tree.pins.openPins) {
    const seen = reachFrom(tree, pin.root);
    check(seen[0].size === pin.size, `a snapshot of ${pin.size} entries has ${seen[0].size}`);
    seen.forEach((items, kind) => {
      for (const item of items)
        check(itemAt<Set<number>>(held, kind).has(item), "a snapshot sees what was freed");
    });
  }
  checkMemory(tree.records, held[0], "records");
  checkMemory(tree.separators, held[1], "separators");
  check(
    tree.nodes.live === held[2].size,
    `${tree.nodes.live} nodes are in use, and ${held[2].size} are reached`,
  );
  return now[0];
}

function checkMemory(arena: Arena, addresses: ReadonlySet<Address>, what: string): void {
  let bytes = 0;
  for (const address of addresses) {
    check(!isFreed(arena, address), `one of the ${what} was freed`);
    bytes += sizeOf(lengthOf(arena, address));
  }
  check(
    arena.liveBytes === bytes,
    `${arena.liveBytes} bytes of ${what} are in use, and ${bytes} are reached`,
  );
}

function reachFrom(tree: Tree, root: number): Reached {
  const reached: Reached = [new Set(), new Set(), new Set()];
  visit(tree, root, { low: NO_ADDRESS, high: NO_ADDRESS, birth: Number.POSITIVE_INFINITY }, reached);
  return reached;
}

/** What the node's keys lie between, and when the node above it was made. */
interface Above {
  readonly low: Address;
  readonly high: Address;
  readonly birth: number;
}

function visit(tree: Tree, node: number, above: Above, [records, separators, nodes]: Reached): void {
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
    visit(tree, child, { low, high, birth }, [records, separators, nodes]);
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
