import { type Address, NO_ADDRESS } from "./arena.js";
import { copyKeys, insertChild, insertKey, setPrefixes } from "./node-edit.js";
import {
  addressAt,
  capacityOf,
  childrenOf,
  countOf,
  INNER_CAPACITY,
  LEAF_CAPACITY,
  levelOf,
  setChild,
  setCount,
  setSkip,
  skipOf,
} from "./node-layout.js";
import { nodeStart } from "./node-pool.js";
import { separatorBetween, sharedByAllBetween } from "./prefix.js";
import { addRecord, compareKey, keyOf } from "./record.js";
import type { Tree } from "./tree.js";

/** Where in the tree something is to be inserted. */
export interface Place {
  readonly node: number;
  readonly slot: number;
}

const NO_VALUE = new Uint8Array(0);

/** Leaving out some bytes more is worth making a node's columns anew only from this many on: four decide nearly always. */
const WORTHWHILE_SKIP = 4;

/**
 * Splits the full leaf at `depth` of the path, which is writable, where `key` is to be inserted at `slot`. At either end of
 * all keys it leaves the leaf full and begins an empty one: keys that come in order fill the leaves.
 */
export function splitLeaf(tree: Tree, depth: number, slot: number, key: Uint8Array): Place {
  const { nodes, path, records, separators } = tree;
  const left = path.node(depth);
  const [low, high] = [path.low(depth), path.high(depth)];
  const cut = cutOf(slot, LEAF_CAPACITY, low, high);
  const keyAt = (index: number) =>
    keyOf(records, addressAt(nodes.wordsOf(left), nodeStart(left), LEAF_CAPACITY, index));
  const separatorKey = separatorBetween(
    cut === 0 ? key : keyAt(cut - 1),
    cut === LEAF_CAPACITY ? key : keyAt(cut),
  );
  const separator = addRecord(separators, separatorKey, NO_VALUE, tree.time);
  const right = moveKeysBehind(tree, left, cut, cut);
  narrow(tree, left, low, separator);
  narrow(tree, right, separator, high);
  addChild(tree, depth - 1, separator, right);
  const goesLeft = slot < cut || (slot === cut && compareKey(separators, separator, key, 0) > 0);
  return goesLeft ? { node: left, slot } : { node: right, slot: slot - cut };
}

/** Splits the full inner node at `depth`, which is writable; its separator in the middle goes up. */
function splitInner(tree: Tree, depth: number, slot: number): Place {
  const { nodes, path } = tree;
  const left = path.node(depth);
  const [low, high] = [path.low(depth), path.high(depth)];
  const cut = Math.min(cutOf(slot, INNER_CAPACITY, low, high), INNER_CAPACITY - 1);
  const words = nodes.wordsOf(left);
  const separator = addressAt(words, nodeStart(left), INNER_CAPACITY, cut);
  const right = moveKeysBehind(tree, left, cut, cut + 1);
  const children = childrenOf(nodeStart(left));
  const moved = words.subarray(children + cut + 1, children + INNER_CAPACITY + 1);
  nodes.wordsOf(right).set(moved, childrenOf(nodeStart(right)));
  narrow(tree, left, low, separator);
  narrow(tree, right, separator, high);
  addChild(tree, depth - 1, separator, right);
  return slot <= cut ? { node: left, slot } : { node: right, slot: slot - cut - 1 };
}

/** Adds what was split off a child of the node at `depth` behind that child. */
function addChild(tree: Tree, depth: number, separator: Address, child: number): void {
  if (depth < 0) {
    growRoot(tree, separator, child);
    return;
  }
  const { nodes, path } = tree;
  let node = tree.writable(depth);
  let slot = path.child(depth);
  if (countOf(nodes.wordsOf(node), nodeStart(node)) === INNER_CAPACITY) {
    const place = splitInner(tree, depth, slot);
    node = place.node;
    slot = place.slot;
  }
  insertBehind(tree, node, slot, separator, child);
}

function growRoot(tree: Tree, separator: Address, child: number): void {
  const { nodes } = tree;
  const old = tree.root;
  const root = tree.newNode(levelOf(nodes.wordsOf(old), nodeStart(old)) + 1);
  setChild(nodes.wordsOf(root), nodeStart(root), 0, old);
  insertBehind(tree, root, 0, separator, child);
  tree.root = root;
}

/** Sets a separator at `slot` of an inner node with room, and a child behind it. */
function insertBehind(tree: Tree, node: number, slot: number, separator: Address, child: number): void {
  const words = tree.nodes.wordsOf(node);
  const at = nodeStart(node);
  insertChild(words, at, slot + 1, child);
  insertKey(words, at, INNER_CAPACITY, slot, keyOf(tree.separators, separator), separator);
}

/** Leaves `count` keys in a full node and puts those from slot `from` into a new one of the same level. */
function moveKeysBehind(tree: Tree, left: number, count: number, from: number): number {
  const { nodes } = tree;
  const level = levelOf(nodes.wordsOf(left), nodeStart(left));
  const right = tree.newNode(level);
  const [words, at] = [nodes.wordsOf(left), nodeStart(left)];
  const [rightWords, rightAt] = [nodes.wordsOf(right), nodeStart(right)];
  const capacity = capacityOf(level);
  setSkip(rightWords, rightAt, skipOf(words, at));
  copyKeys(words, at, from, capacity, rightWords, rightAt, capacity);
  setCount(words, at, count);
  return right;
}

/** Between these separators all keys of the node may share more bytes than before. */
function narrow(tree: Tree, node: number, low: Address, high: Address): void {
  const [words, at] = [tree.nodes.wordsOf(node), nodeStart(node)];
  const shared = sharedByAllBetween(tree.separators, low, high);
  if (shared < skipOf(words, at) + WORTHWHILE_SKIP) return;
  const level = levelOf(words, at);
  setPrefixes(words, at, capacityOf(level), shared, level === 0 ? tree.records : tree.separators);
}

function cutOf(slot: number, capacity: number, low: Address, high: Address): number {
  if (slot === capacity && high === NO_ADDRESS) return capacity;
  if (slot === 0 && low === NO_ADDRESS) return 0;
  return capacity >>> 1;
}
