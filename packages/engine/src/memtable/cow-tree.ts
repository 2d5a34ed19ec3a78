import { joinIfTooNarrow, splitIfTooWide } from "./balance.js";
import { compareBytes } from "./bytes.js";
import type { Entry } from "./entry.js";
import {
  type Branch,
  childAt,
  countBelow,
  countUpTo,
  createBranch,
  createLeaf,
  findEntry,
  type Leaf,
  MAX_WIDTH,
  type Node,
  widthOf,
  writableNode,
} from "./node.js";

/**
 * A B+tree whose past can be kept: `freeze` hands out the root and begins a new edition, and from then on a write copies
 * each node of an older edition on its way before it changes it. What a frozen root reaches never changes, and is
 * garbage as soon as nobody holds that root.
 */
export class CowTree {
  #edition = 0;
  #root: Node = createLeaf(0);

  /** The tree as it is; good until the next write. */
  get root(): Node {
    return this.#root;
  }

  /** The tree as it is, for good. Takes constant time. */
  freeze(): Node {
    // Every write leaves a root of the current edition, so an older root means no write since the last freeze.
    if (this.#root.edition === this.#edition) this.#edition++;
    return this.#root;
  }

  /** Adds the entry; returns the one of the same key that it replaces, if there is one. */
  set(entry: Entry): Entry | undefined {
    const root = writableNode(this.#root, this.#edition);
    const replaced = this.#setBelow(root, entry);
    this.#root = this.#splitRoot(root);
    return replaced;
  }

  /** Removes and returns the entry of the key. */
  remove(key: Uint8Array): Entry | undefined {
    // Looked up first, so that removing what is not there copies no node.
    const entry = findEntry(this.#root, key);
    if (entry === undefined) return undefined;
    const root = writableNode(this.#root, this.#edition);
    this.#removeBelow(root, key);
    this.#root = root.isLeaf || root.children.length > 1 ? root : childAt(root, 0);
    return entry;
  }

  #setBelow(node: Node, entry: Entry): Entry | undefined {
    if (node.isLeaf) return setInLeaf(node, entry);
    const index = countUpTo(node.keys, entry.key);
    const replaced = this.#setBelow(this.#writableChild(node, index), entry);
    splitIfTooWide(node, index, this.#edition);
    return replaced;
  }

  #removeBelow(node: Node, key: Uint8Array): void {
    if (node.isLeaf) {
      const index = countBelow(node.keys, key);
      node.keys.splice(index, 1);
      node.entries.splice(index, 1);
      return;
    }
    const index = countUpTo(node.keys, key);
    this.#removeBelow(this.#writableChild(node, index), key);
    joinIfTooNarrow(node, index, this.#edition);
  }

  #writableChild(branch: Branch, index: number): Node {
    const child = writableNode(childAt(branch, index), this.#edition);
    branch.children[index] = child;
    return child;
  }

  #splitRoot(root: Node): Node {
    if (widthOf(root) <= MAX_WIDTH) return root;
    const parent = createBranch(this.#edition, [], [root]);
    splitIfTooWide(parent, 0, this.#edition);
    return parent;
  }
}

function setInLeaf(leaf: Leaf, entry: Entry): Entry | undefined {
  const index = countBelow(leaf.keys, entry.key);
  const present = leaf.entries[index];
  if (present !== undefined && compareBytes(present.key, entry.key) === 0) {
    leaf.keys[index] = entry.key;
    leaf.entries[index] = entry;
    return present;
  }
  leaf.keys.splice(index, 0, entry.key);
  leaf.entries.splice(index, 0, entry);
  return undefined;
}
