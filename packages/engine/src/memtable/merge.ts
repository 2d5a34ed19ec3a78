import { copyKeys, insertKey, removeChild, removeKey, setPrefixes } from "./node-edit.js";
import {
  addressAt,
  capacityOf,
  childAt,
  childrenOf,
  countOf,
  INNER_CAPACITY,
  levelOf,
  skipOf,
} from "./node-layout.js";
import { nodeStart } from "./node-pool.js";
import { sharedByAllBetween } from "./prefix.js";
import { keyOf } from "./record.js";
import { SEPARATOR } from "./retired.js";
import type { Tree } from "./tree.js";

/**
 * Joins the node at `depth` of the path, and then those above it, with a neighbour under the same parent where it has become
 * small and both fit one node with room to spare; an empty one always where there is a neighbour with room. Nothing is moved
 * between neighbours to balance them: of two of them, one is then at least half full.
 */
export function mergeUpwards(tree: Tree, depth: number): void {
  if (depth === 0) {
    dropEmptyRoots(tree);
    return;
  }
  const node = tree.path.node(depth);
  if (countIn(tree, node) >= capacityIn(tree, node) / 4) return;
  const parent = tree.path.node(depth - 1);
  const index = tree.path.child(depth - 1);
  if (index < countIn(tree, parent) && fitTogether(tree, parent, index)) joinChildren(tree, depth - 1, index);
  else if (index > 0 && fitTogether(tree, parent, index - 1)) joinChildren(tree, depth - 1, index - 1);
  else return;
  mergeUpwards(tree, depth - 1);
}

function dropEmptyRoots(tree: Tree): void {
  const { nodes } = tree;
  for (;;) {
    const root = tree.root;
    const [words, at] = [nodes.wordsOf(root), nodeStart(root)];
    if (levelOf(words, at) === 0 || countOf(words, at) > 0) return;
    tree.root = childAt(words, at, 0);
    tree.retire(root);
  }
}

/** Whether the children of a node on both sides of separator `index` may become one. */
function fitTogether(tree: Tree, parent: number, index: number): boolean {
  const [words, at] = [tree.nodes.wordsOf(parent), nodeStart(parent)];
  const [left, right] = [childAt(words, at, index), childAt(words, at, index + 1)];
  const [inLeft, inRight] = [countIn(tree, left), countIn(tree, right)];
  const capacity = capacityIn(tree, left);
  const together = inLeft + inRight + (capacity === INNER_CAPACITY ? 1 : 0);
  const isOneEmpty = inLeft === 0 || inRight === 0;
  return together <= (isOneEmpty ? capacity : (capacity * 3) / 4);
}

/** Moves what the child right of separator `index` holds into the one left of it. */
function joinChildren(tree: Tree, depth: number, index: number): void {
  const { nodes, path, separators } = tree;
  const parent = tree.writable(depth);
  const left = tree.writableChild(depth, index);
  const [parentWords, parentAt] = [nodes.wordsOf(parent), nodeStart(parent)];
  const right = childAt(parentWords, parentAt, index + 1);
  const separator = addressAt(parentWords, parentAt, INNER_CAPACITY, index);
  const low = index > 0 ? addressAt(parentWords, parentAt, INNER_CAPACITY, index - 1) : path.low(depth);
  const high =
    index + 1 < countOf(parentWords, parentAt)
      ? addressAt(parentWords, parentAt, INNER_CAPACITY, index + 1)
      : path.high(depth);
  appendNode(tree, left, right, separator, sharedByAllBetween(separators, low, high));
  removeChild(parentWords, parentAt, index + 1);
  removeKey(parentWords, parentAt, INNER_CAPACITY, index);
  tree.retire(right);
  if (levelOf(nodes.wordsOf(left), nodeStart(left)) === 0) tree.pins.retire(SEPARATOR, separator);
}

/** Copies all of one node behind what is in another, of which the keys between both separators share `shared` bytes. */
function appendNode(tree: Tree, left: number, right: number, separator: number, shared: number): void {
  const { nodes } = tree;
  const [words, at] = [nodes.wordsOf(left), nodeStart(left)];
  const [rightWords, rightAt] = [nodes.wordsOf(right), nodeStart(right)];
  const level = levelOf(words, at);
  const capacity = capacityOf(level);
  const arena = level === 0 ? tree.records : tree.separators;
  setPrefixes(words, at, capacity, Math.min(skipOf(words, at), skipOf(rightWords, rightAt), shared), arena);
  const before = countOf(words, at);
  if (level > 0) {
    const children = childrenOf(rightAt);
    const moved = rightWords.subarray(children, children + countOf(rightWords, rightAt) + 1);
    words.set(moved, childrenOf(at) + before + 1);
    // It stood between the two nodes; now it stands between the children where they meet.
    insertKey(words, at, capacity, before, keyOf(tree.separators, separator), separator);
  }
  appendKeys(tree, left, right);
}

function appendKeys(tree: Tree, left: number, right: number): void {
  const { nodes } = tree;
  const [words, at] = [nodes.wordsOf(left), nodeStart(left)];
  const [rightWords, rightAt] = [nodes.wordsOf(right), nodeStart(right)];
  const capacity = capacityIn(tree, left);
  const count = countOf(rightWords, rightAt);
  if (skipOf(words, at) === skipOf(rightWords, rightAt)) {
    copyKeys(rightWords, rightAt, 0, count, words, at, capacity);
    return;
  }
  const arena = levelOf(words, at) === 0 ? tree.records : tree.separators;
  for (let slot = 0; slot < count; slot++) {
    const address = addressAt(rightWords, rightAt, capacity, slot);
    insertKey(words, at, capacity, countOf(words, at), keyOf(arena, address), address);
  }
}

function countIn(tree: Tree, node: number): number {
  return countOf(tree.nodes.wordsOf(node), nodeStart(node));
}

function capacityIn(tree: Tree, node: number): number {
  return capacityOf(levelOf(tree.nodes.wordsOf(node), nodeStart(node)));
}
