import { type Branch, childAt, countUpTo, type Leaf, type Node } from "./node.js";

/** Goes from leaf to leaf of a frozen tree, forwards or backwards. Leaves have no links: a copied one would break them. */
export class LeafWalk {
  readonly #root: Node;
  readonly #reverse: boolean;
  /** The branches above the current leaf, root first, and in each the index of the child that leads to it. */
  readonly #branches: Branch[] = [];
  readonly #indexes: number[] = [];

  constructor(root: Node, reverse: boolean) {
    this.#root = root;
    this.#reverse = reverse;
  }

  /** The leaf that `key` belongs in; without a key, the first leaf of the walk. */
  start(key: Uint8Array | undefined): Leaf {
    return this.#descend(this.#root, key);
  }

  next(): Leaf | undefined {
    const step = this.#reverse ? -1 : 1;
    for (let branch = this.#branches.pop(); branch !== undefined; branch = this.#branches.pop()) {
      // The two stacks have the same height.
      const index = (this.#indexes.pop() as number) + step;
      if (index >= 0 && index < branch.children.length) {
        return this.#descend(this.#enter(branch, index), undefined);
      }
    }
    return undefined;
  }

  #descend(from: Node, key: Uint8Array | undefined): Leaf {
    let node = from;
    while (!node.isLeaf) {
      const edge = this.#reverse ? node.children.length - 1 : 0;
      node = this.#enter(node, key === undefined ? edge : countUpTo(node.keys, key));
    }
    return node;
  }

  #enter(branch: Branch, index: number): Node {
    this.#branches.push(branch);
    this.#indexes.push(index);
    return childAt(branch, index);
  }
}
