import { compareBytes } from "./bytes.js";
import type { Entry } from "./entry.js";

/** Most entries of a leaf and most children of a branch. */
export const MAX_WIDTH = 64;

/** Least of the same, but for the root. A quarter, so that a node just merged or split is far from its next change. */
export const MIN_WIDTH = MAX_WIDTH / 4;

/**
 * A node belongs to the edition of the tree in which it was made. It may be changed in place only while that edition is
 * the current one; from then on it may be part of a snapshot, and a write works on a copy.
 */
export type Node = Leaf | Branch;

/** Entries in key order; `keys[i]` is `entries[i].key`, kept apart so that a search touches no entry. */
export interface Leaf {
  readonly isLeaf: true;
  readonly edition: number;
  readonly keys: Uint8Array[];
  readonly entries: Entry[];
}

/** Children in key order, one more than keys: all below `children[i]` is < `keys[i]` <= all below `children[i + 1]`. */
export interface Branch {
  readonly isLeaf: false;
  readonly edition: number;
  readonly keys: Uint8Array[];
  readonly children: Node[];
}

export function createLeaf(edition: number, keys: Uint8Array[] = [], entries: Entry[] = []): Leaf {
  return { isLeaf: true, edition, keys, entries };
}

export function createBranch(edition: number, keys: Uint8Array[], children: Node[]): Branch {
  return { isLeaf: false, edition, keys, children };
}

/** What `MAX_WIDTH` and `MIN_WIDTH` limit. */
export function widthOf(node: Node): number {
  return node.isLeaf ? node.entries.length : node.children.length;
}

/** The node itself where it may be changed in place, else a copy of it for this edition. */
export function writableNode(node: Node, edition: number): Node {
  if (node.edition === edition) return node;
  return node.isLeaf
    ? createLeaf(edition, node.keys.slice(), node.entries.slice())
    : createBranch(edition, node.keys.slice(), node.children.slice());
}

/** How many of the sorted `keys` are < `key`: where `key` stands or belongs. */
export function countBelow(keys: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(keys[middle] as Uint8Array, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many of the sorted `keys` are <= `key`: in a branch, the index of the child that `key` belongs below. */
export function countUpTo(keys: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(keys[middle] as Uint8Array, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The child at `index`, which the caller knows to be within the branch. */
export function childAt(branch: Branch, index: number): Node {
  return branch.children[index] as Node;
}

/** The entry of `key` below `root`. */
export function findEntry(root: Node, key: Uint8Array): Entry | undefined {
  let node = root;
  while (!node.isLeaf) node = childAt(node, countUpTo(node.keys, key));
  const index = countBelow(node.keys, key);
  const entry = node.entries[index];
  return entry !== undefined && compareBytes(entry.key, key) === 0 ? entry : undefined;
}
