import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { CowTree } from "../src/memtable/cow-tree.js";
import { copyEntry } from "../src/memtable/entry.js";
import { LeafWalk } from "../src/memtable/leaf-walk.js";
import { createBranch, createLeaf, MAX_WIDTH, type Node } from "../src/memtable/node.js";
import { RangeIterator } from "../src/memtable/range-iterator.js";
import { checkInvariants } from "../src/memtable/tree-invariants.js";

const NO_BYTES = new Uint8Array(0);

function numbered(n: number): Uint8Array {
  return new Uint8Array([n >>> 16, n >>> 8, n]);
}

function set(tree: CowTree, n: number): boolean {
  return tree.set(copyEntry(numbered(n), NO_BYTES, n)) === undefined;
}

function countNodes(node: Node): number {
  return node.isLeaf ? 1 : node.children.reduce((sum, child) => sum + countNodes(child), 1);
}

function nodesOf(node: Node, into = new Set<Node>()): Set<Node> {
  into.add(node);
  if (!node.isLeaf) for (const child of node.children) nodesOf(child, into);
  return into;
}

/** All that a frozen root reaches, as it must still read later. */
const portrait = (node: Node): string =>
  node.isLeaf ? `[${node.entries.map((entry) => entry.sequence)}]` : `(${node.children.map(portrait)})`;

describe("the tree", () => {
  test("holds its invariants through runs of writes, and its frozen roots never change", () => {
    const run = fc.record({
      remove: fc.boolean(),
      freeze: fc.boolean(),
      first: fc.nat({ max: 8000 }),
      count: fc.nat({ max: 2500 }),
      stride: fc.integer({ min: -3, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(run, { maxLength: 16 }), (runs) => {
        const tree = new CowTree();
        const frozen: { root: Node; before: string }[] = [];
        let size = 0;
        for (const { remove, freeze, first, count, stride } of runs) {
          for (let i = 0; i < count; i++) {
            const n = first + 10_000 + i * stride;
            if (remove) size -= tree.remove(numbered(n)) === undefined ? 0 : 1;
            else size += set(tree, n) ? 1 : 0;
          }
          expect(checkInvariants(tree.root)).toBe(size);
          if (freeze) frozen.push({ root: tree.freeze(), before: portrait(tree.root) });
        }
        for (const { root, before } of frozen) expect(portrait(root)).toBe(before);
      }),
      { numRuns: 60 },
    );
  });

  test("holds its invariants after each single write", () => {
    const tree = new CowTree();
    const count = 1500;
    for (let i = 0; i < count; i++) {
      set(tree, (i * 7919) % count);
      expect(checkInvariants(tree.root)).toBe(i + 1);
    }
    for (let i = 0; i < count; i++) {
      tree.remove(numbered((i * 4799) % count));
      expect(checkInvariants(tree.root)).toBe(count - 1 - i);
    }
    expect(countNodes(tree.root)).toBe(1);
  });

  test("shrinks with its entries", () => {
    const tree = new CowTree();
    for (let n = 0; n < 100_000; n++) set(tree, n);
    const full = countNodes(tree.root);
    for (let n = 0; n < 100_000; n++) if (n % 100 !== 0) tree.remove(numbered(n));
    expect(checkInvariants(tree.root)).toBe(1000);
    expect(countNodes(tree.root)).toBeLessThan(full / 20);
    for (let n = 0; n < 100_000; n += 100) tree.remove(numbered(n));
    expect(tree.root).toMatchObject({ isLeaf: true, entries: [] });
  });

  test("leaves nodes well filled when keys come in order", () => {
    const tree = new CowTree();
    const count = 50_000;
    for (let n = 0; n < count; n++) set(tree, n);
    expect(countNodes(tree.root)).toBeLessThan((1.4 * count) / MAX_WIDTH);
  });

  test("copies only the path of a write after a freeze, and nothing for a delete that finds nothing", () => {
    const tree = new CowTree();
    for (let n = 0; n < 20_000; n++) set(tree, 2 * n);
    const frozen = nodesOf(tree.freeze());
    expect(tree.remove(numbered(777))).toBeUndefined();
    expect([...nodesOf(tree.root)].filter((node) => !frozen.has(node))).toEqual([]);
    set(tree, 776);
    set(tree, 776);
    const height = 3;
    expect([...nodesOf(tree.root)].filter((node) => !frozen.has(node))).toHaveLength(height);
  });
});

describe("a range", () => {
  test.each([
    { name: "forwards to a bound", range: { gte: numbered(5000), lt: numbered(5010) }, found: 10 },
    {
      name: "backwards to a bound",
      range: { gte: numbered(5000), lt: numbered(5010), reverse: true },
      found: 10,
    },
    { name: "forwards to its limit", range: { gte: numbered(5000), limit: 10 }, found: 10 },
    {
      name: "with bounds that exclude each other",
      range: { gt: numbered(5000), lt: numbered(5000) },
      found: 0,
    },
    {
      name: "of nothing, backwards",
      range: { gt: numbered(6000), lt: numbered(5000), reverse: true },
      found: 0,
    },
  ])("$name enters no leaf past its end", ({ range, found }) => {
    const tree = new CowTree();
    for (let n = 0; n < 10_000; n++) set(tree, n);
    using nextLeaf = vi.spyOn(LeafWalk.prototype, "next");
    expect(Array.from(new RangeIterator(tree.freeze(), range))).toHaveLength(found);
    expect(nextLeaf.mock.calls.length).toBeLessThanOrEqual(2);
  });
});

describe("checkInvariants", () => {
  const leaf = (...ns: number[]): Node => {
    const entries = ns.map((n) => copyEntry(numbered(n), NO_BYTES, n));
    return createLeaf(
      0,
      entries.map(({ key }) => key),
      entries,
    );
  };
  const counting = (from: number, count: number): Node =>
    leaf(...Array.from({ length: count }, (_, i) => from + i));

  test.each([
    { name: "unordered keys", root: leaf(1, 3, 2) },
    { name: "equal keys", root: leaf(1, 1) },
    { name: "too wide a node", root: counting(0, MAX_WIDTH + 1) },
    { name: "too narrow a node", root: createBranch(0, [numbered(50)], [counting(0, 20), counting(50, 1)]) },
    { name: "a root with one child", root: createBranch(0, [], [counting(0, 20)]) },
    {
      name: "a separator too low",
      root: createBranch(0, [numbered(10)], [counting(0, 20), counting(50, 20)]),
    },
    {
      name: "a separator too high",
      root: createBranch(0, [numbered(60)], [counting(0, 20), counting(50, 20)]),
    },
    {
      name: "a missing child",
      root: createBranch(0, [numbered(50), numbered(90)], [counting(0, 20), counting(50, 20)]),
    },
    {
      name: "a child newer than its parent",
      root: createBranch(-1, [numbered(50)], [counting(0, 20), counting(50, 20)]),
    },
  ])("sees $name", ({ root }) => {
    expect(() => checkInvariants(root)).toThrow(/^tree: /);
  });
});
