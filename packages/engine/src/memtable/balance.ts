import {
  type Branch,
  childAt,
  createBranch,
  createLeaf,
  MAX_WIDTH,
  MIN_WIDTH,
  type Node,
  widthOf,
  writableNode,
} from "./node.js";

/**
 * Keeps widths between `MIN_WIDTH` and `MAX_WIDTH` after one child of a branch gained or lost a member. `parent` must be
 * writable in `edition`; its own width may leave the limits by one, which is for the caller one level up to mend.
 */

/** Splits the child at `index`, which must be writable, if it is too wide. */
export function splitIfTooWide(parent: Branch, index: number, edition: number): void {
  const width = widthOf(childAt(parent, index));
  if (width <= MAX_WIDTH) return;
  // The last child grows mostly by appending: what it leaves behind will not be filled up later, so leave it well filled.
  const isLast = index === parent.children.length - 1;
  splitChild(parent, index, isLast ? width - MIN_WIDTH : width >>> 1, edition);
}

/** Joins the child at `index`, which must be writable, with a sibling if it is too narrow, or evens the two out. */
export function joinIfTooNarrow(parent: Branch, index: number, edition: number): void {
  if (widthOf(childAt(parent, index)) >= MIN_WIDTH) return;
  const left = index > 0 ? index - 1 : index;
  joinWithNext(parent, left, edition);
  const width = widthOf(childAt(parent, left));
  if (width > MAX_WIDTH) splitChild(parent, left, width >>> 1, edition);
}

/** Moves the members of the child at `index` from `position` on into a new child behind it. */
function splitChild(parent: Branch, index: number, position: number, edition: number): void {
  const child = childAt(parent, index);
  const keys = child.keys.splice(position);
  let right: Node;
  let separator: Uint8Array | undefined;
  if (child.isLeaf) {
    right = createLeaf(edition, keys, child.entries.splice(position));
    separator = keys[0];
  } else {
    right = createBranch(edition, keys, child.children.splice(position));
    separator = child.keys.pop();
  }
  // A too wide child has members on both sides of the position, hence a key for the separator.
  parent.keys.splice(index, 0, separator as Uint8Array);
  parent.children.splice(index + 1, 0, right);
}

/** Moves all members of the child behind `index` into the child at `index`. A non-root branch has at least two children. */
function joinWithNext(parent: Branch, index: number, edition: number): void {
  const left = writableNode(childAt(parent, index), edition);
  const right = childAt(parent, index + 1);
  const separator = parent.keys[index] as Uint8Array;
  if (left.isLeaf && right.isLeaf) {
    left.keys.push(...right.keys);
    left.entries.push(...right.entries);
  } else if (!left.isLeaf && !right.isLeaf) {
    left.keys.push(separator, ...right.keys);
    left.children.push(...right.children);
  }
  parent.keys.splice(index, 1);
  parent.children.splice(index, 2, left);
}
