import { invariant } from "@kaya/core";
import { compareBytes } from "./bytes.js";
import { type Leaf, MAX_WIDTH, MIN_WIDTH, type Node, widthOf } from "./node.js";

/** Keys below a node are >= `from` and < `to`. */
interface Span {
  readonly from: Uint8Array | undefined;
  readonly to: Uint8Array | undefined;
}

interface Shape {
  readonly height: number;
  readonly entries: number;
}

/**
 * Checks all that the tree relies on: order, separators, widths, equal height of all leaves, and that no node is newer
 * than the one above it (a newer one could be changed in place under a snapshot). For tests.
 * @returns the number of entries
 * @throws KayaError KAYA_INVARIANT_VIOLATION
 */
export function checkInvariants(root: Node): number {
  const leastWidth = root.isLeaf ? 0 : 2;
  invariant(widthOf(root) >= leastWidth, "tree", `the root has ${widthOf(root)} members`);
  return checkNode(root, { from: undefined, to: undefined }).entries;
}

function checkNode(node: Node, span: Span): Shape {
  invariant(widthOf(node) <= MAX_WIDTH, "tree", `a node has ${widthOf(node)} members`);
  checkKeys(node.keys, span);
  if (node.isLeaf) return checkLeaf(node);
  invariant(node.children.length === node.keys.length + 1, "tree", "a branch has one child more than keys");
  const shapes = node.children.map((child, i) => {
    invariant(child.edition <= node.edition, "tree", "a child is newer than its parent");
    invariant(widthOf(child) >= MIN_WIDTH, "tree", `a node has ${widthOf(child)} members`);
    return checkNode(child, { from: i === 0 ? span.from : node.keys[i - 1], to: node.keys[i] ?? span.to });
  });
  const height = shapes[0]?.height ?? 0;
  invariant(
    shapes.every((shape) => shape.height === height),
    "tree",
    "leaves differ in depth",
  );
  return { height: height + 1, entries: shapes.reduce((sum, shape) => sum + shape.entries, 0) };
}

function checkLeaf(leaf: Leaf): Shape {
  invariant(leaf.keys.length === leaf.entries.length, "tree", "a leaf has a key for each entry");
  leaf.entries.forEach((entry, i) => {
    invariant(entry.key === leaf.keys[i], "tree", "a leaf's keys are those of its entries");
  });
  return { height: 0, entries: leaf.entries.length };
}

function checkKeys(keys: readonly Uint8Array[], { from, to }: Span): void {
  let previous: Uint8Array | undefined;
  for (const key of keys) {
    const rises = previous === undefined || compareBytes(previous, key) < 0;
    const isWithin =
      (from === undefined || compareBytes(from, key) <= 0) && (to === undefined || compareBytes(key, to) < 0);
    invariant(rises, "tree", "keys are out of order");
    invariant(isWithin, "tree", "a key is on the wrong side of a separator");
    previous = key;
  }
}
