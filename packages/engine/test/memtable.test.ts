import { EXPIRING, type FlushEntry, PUT, TOMBSTONE } from "@kaya/lsm";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { compareBytes, successorOfPrefix } from "../src/memtable/bytes.js";
import { Memtable } from "../src/memtable/memtable.js";
import type { MemtableSnapshot } from "../src/memtable/memtable-snapshot.js";
import { Block, PieceList } from "../src/memtable/range-tombstones.js";
import { flushSource } from "../src/store/flush-source.js";
import {
  anyKey,
  anyOperation,
  bytes,
  change,
  Model,
  NOW,
  numberedKey,
  type Operation,
  readAll,
  text,
} from "./support/memtable-model.js";

vi.setConfig({ testTimeout: 120_000 });

const keysOf = (table: Memtable): string[] => {
  const now = table.snapshot();
  try {
    return readAll(now).map(({ key }) => key);
  } finally {
    now.release();
  }
};

function filled(...keys: string[]): Memtable {
  const table = new Memtable();
  keys.forEach((key, i) => {
    table.put(bytes(key), bytes(`v${key}`), i + 1);
  });
  return table;
}

type Step =
  | Operation
  | { readonly type: "snapshot" }
  | { readonly type: "another"; readonly which: number }
  | { readonly type: "release"; readonly which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: anyOperation },
  { weight: 2, arbitrary: fc.constant({ type: "snapshot" } as const) },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.record({ type: fc.constant("another" as const), which: fc.nat() }),
      fc.record({ type: fc.constant("release" as const), which: fc.nat() }),
    ),
  },
);

interface Held {
  readonly view: MemtableSnapshot;
  readonly expected: Model;
}

function expectSays(
  { get, stateOf }: Pick<Memtable, "get" | "stateOf">,
  model: Model,
  keys: Iterable<string>,
): void {
  for (const key of keys) {
    const found = get(bytes(key), () => NOW);
    expect(found && text(found), key).toBe(model.get(key));
    expect(stateOf(bytes(key)), key).toEqual(model.stateOf(key));
  }
}

const asReader = (of: Memtable | MemtableSnapshot): Pick<Memtable, "get" | "stateOf"> => ({
  get: (key, now) => of.get(key, now),
  stateOf: (key) => of.stateOf(key),
});

/** The keys where answers may change: those of the entries, and the bounds of ranges. */
function* tellingKeys(model: Model): Iterable<string> {
  let i = 0;
  // Runs have thousands of neighbours: some of them are enough.
  for (const key of model.entries.keys()) if (model.entries.size < 300 || i++ % 17 === 0) yield key;
  for (const { start, end } of model.ranges) yield* end === undefined ? [start] : [start, end, `${end}\0`];
}

function expectHolds(view: MemtableSnapshot, model: Model, others: readonly string[]): void {
  expect(view.size).toBe(model.entries.size);
  expect(readAll(view)).toEqual(model.visible());
  expect(readAll(view, true)).toEqual(model.visible().toReversed());
  expect(Array.from(flushSource(view).entries as Iterable<FlushEntry>, ({ key }) => text(key))).toEqual(
    model.visible(true).map(({ key }) => key),
  );
  expectSays(asReader(view), model, [...tellingKeys(model), ...others]);
}

function run(steps: readonly Step[], others: readonly string[]): void {
  // One secret of the hash, so that a run can be repeated.
  const table = new Memtable({ hashSecret: { low: 1, high: 2 } });
  const model = new Model();
  const held: Held[] = [];
  let sequence = 0;
  for (const each of steps) {
    if (each.type === "snapshot") held.push({ view: table.snapshot(), expected: new Model(model) });
    else if (each.type === "another") {
      const of = held[each.which % (held.length + 1)];
      if (of !== undefined) held.push({ ...of, view: of.view.another() });
    } else if (each.type === "release") {
      for (const { view } of held.splice(each.which % (held.length + 1), 1)) view.release();
    } else sequence = change(table, model, each, sequence);
    table.audit();
    expectSays(asReader(table), model, [...tellingKeys(model), ...others]);
  }
  for (const { view, expected } of held) expectHolds(view, expected, others);
  for (const { view } of held) view.release();
  const now = table.snapshot();
  expectHolds(now, model, others);
  now.release();
  table.audit();
  const kinds = model.all().map(({ kind }) => kind);
  expect([table.puts - table.expiring, table.expiring, table.tombstones]).toEqual(
    [PUT, EXPIRING, TOMBSTONE].map((kind) => kinds.filter((other) => other === kind).length),
  );
  expect(table.lastSequence ?? 0).toBe(sequence);
}

describe("the memtable against a model", () => {
  test("says of each key what was done last, in the present and in every snapshot", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 24 }), fc.array(anyKey, { maxLength: 20 }), run), {
      numRuns: 80,
    });
  });

  test("does so with many range tombstones over few keys", () => {
    const small = fc.string({ unit: fc.constantFrom("\x00", "a", "\xff"), maxLength: 3 });
    const ranges = fc
      .record({
        type: fc.constant("deleteRange" as const),
        start: small,
        end: fc.option(small, { nil: undefined, freq: 10 }),
      })
      .filter(({ start, end }) => end === undefined || start < end);
    const puts = fc.record({ type: fc.constant("put" as const), keys: fc.tuple(small) });
    const steps = fc.array(fc.oneof(ranges, ranges, puts, step), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (given) => run(given, [])),
      { numRuns: 80 },
    );
  });
});

describe("entries", () => {
  test("an empty key and an empty value are a key and a value", () => {
    const table = new Memtable();
    table.put(bytes(""), bytes(""), 7);
    expect(table.get(bytes(""), () => 0)).toEqual(new Uint8Array(0));
    expect([table.size, table.keyBytes, table.valueBytes]).toEqual([1, 0, 0]);
    table.delete(bytes(""), 8);
    expect(table.get(bytes(""), () => 0)).toBeNull();
    expect([table.puts, table.tombstones, table.size]).toEqual([0, 1, 1]);
  });

  test("a put over a key replaces value and sequence", () => {
    const table = filled("a", "b");
    table.put(bytes("a"), bytes("longer"), 9);
    expect(text(table.get(bytes("a"), () => 0) as Uint8Array)).toBe("longer");
    expect(table.stateOf(bytes("a"))).toEqual({ kind: PUT, sequence: 9 });
    expect([table.size, table.keyBytes, table.valueBytes]).toEqual([2, 2, 8]);
  });

  test("a delete leaves a tombstone, also where nothing was, and a put takes its place", () => {
    const table = filled("a");
    table.delete(bytes("a"), 2);
    table.delete(bytes("absent"), 3);
    expect(table.stateOf(bytes("a"))).toEqual({ kind: TOMBSTONE, sequence: 2 });
    expect(table.stateOf(bytes("absent"))).toEqual({ kind: TOMBSTONE, sequence: 3 });
    expect(table.get(bytes("other"), () => 0)).toBeUndefined();
    expect([table.puts, table.tombstones, table.keyBytes, table.valueBytes]).toEqual([0, 2, 7, 0]);
    table.put(bytes("absent"), bytes("v"), 4);
    expect(table.get(bytes("absent"), () => 0)).toEqual(bytes("v"));
    expect([table.puts, table.tombstones]).toEqual([1, 1]);
    expect(keysOf(table)).toEqual(["absent"]);
    table.audit();
  });

  test("are plain copies: the caller's buffers are free after put, and what comes out never changes", () => {
    const table = new Memtable();
    const key = Buffer.from("key");
    const value = Buffer.from("value");
    table.put(key, value, 1);
    key.fill(0);
    value.fill(0);
    const got = table.get(bytes("key"), () => 0) as Uint8Array;
    table.put(bytes("key"), bytes("other"), 2); // in the place of the first
    expect(got).toEqual(bytes("value"));
    got.fill(0x21);
    expect(table.get(bytes("key"), () => 0)).toEqual(bytes("other"));
    expect(got.constructor).toBe(Uint8Array);
  });

  test("what comes out of many reads does not overlap", () => {
    const table = filled(...Array.from({ length: 500 }, (_, i) => numberedKey(i)));
    const values = Array.from(
      { length: 500 },
      (_, i) => table.get(bytes(numberedKey(i)), () => 0) as Uint8Array,
    );
    for (const value of values.slice(0, 250)) value.fill(0);
    expect(values.slice(250).map(text)).toEqual(
      Array.from({ length: 250 }, (_, i) => `v${numberedKey(250 + i)}`),
    );
  });

  test("an entry found by a longer or shorter key is none", () => {
    const table = filled("ab");
    for (const key of ["", "a", "aba", "ab\0"]) expect(table.get(bytes(key), () => 0)).toBeUndefined();
  });

  test("sequence numbers past 32 bits stay exact", () => {
    const table = new Memtable();
    for (const sequence of [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER]) {
      table.put(bytes("k"), bytes("v"), sequence);
      expect(table.stateOf(bytes("k"))).toEqual({ kind: PUT, sequence });
    }
    expect([table.firstSequence, table.lastSequence]).toEqual([2 ** 31, Number.MAX_SAFE_INTEGER]);
  });

  test("a change that is older than the one before is a bug, and told (M1)", () => {
    const table = filled("a", "b");
    expect(() => table.put(bytes("c"), bytes(""), 2)).toThrow("M1");
    expect(() => table.delete(bytes("a"), 1)).toThrow("M1");
    expect(() => table.deleteRange(bytes("a"), undefined, 2)).toThrow("M1");
    expect(keysOf(table)).toEqual(["a", "b"]);
  });

  test("an empty memtable says so, whether entries or range tombstones end that", () => {
    const tables = [new Memtable(), new Memtable(), new Memtable()] as const;
    for (const table of tables) {
      expect([table.isEmpty, table.usedBytes, table.size]).toEqual([true, 0, 0]);
      expect([table.firstSequence, table.lastSequence]).toEqual([undefined, undefined]);
      expect(readAll(table.snapshot())).toEqual([]);
    }
    tables[0].put(bytes("a"), bytes(""), 1);
    tables[1].delete(bytes("a"), 1);
    tables[2].deleteRange(bytes("a"), bytes("b"), 1);
    for (const table of tables) {
      expect([table.isEmpty, table.snapshot().isEmpty]).toEqual([false, false]);
      expect(table.usedBytes).toBeGreaterThan(20);
      expect(table.usedBytes).toBeLessThan(1000);
      expect([table.firstSequence, table.lastSequence]).toEqual([1, 1]);
    }
  });
});

describe("range tombstones", () => {
  const piecesOf = (table: Memtable) =>
    table
      .snapshot()
      .rangeTombstones.map(({ start, end, sequence }) => [text(start), end && text(end), sequence]);

  test("hide what is older than they are, and not what comes later", () => {
    const table = filled("a", "b", "c");
    table.deleteRange(bytes("a"), bytes("c"), 4);
    expect([
      table.get(bytes("a"), () => 0),
      table.get(bytes("b"), () => 0),
      table.get(bytes("bb"), () => 0),
    ]).toEqual([null, null, null]);
    expect(table.get(bytes("c"), () => 0)).toEqual(bytes("vc"));
    expect(table.get(bytes("A"), () => 0)).toBeUndefined();
    table.put(bytes("b"), bytes("new"), 5);
    expect(table.get(bytes("b"), () => 0)).toEqual(bytes("new"));
    expect(table.stateOf(bytes("bb"))).toEqual({ kind: TOMBSTONE, sequence: 4 });
    expect(keysOf(table)).toEqual(["b", "c"]);
  });

  test("are cut by later ones, and keep their sequences", () => {
    const table = new Memtable();
    table.deleteRange(bytes("b"), bytes("y"), 1);
    table.deleteRange(bytes("f"), bytes("h"), 2);
    expect(piecesOf(table)).toEqual([
      ["b", "f", 1],
      ["f", "h", 2],
      ["h", "y", 1],
    ]);
    table.deleteRange(bytes("g"), undefined, 3);
    expect(piecesOf(table)).toEqual([
      ["b", "f", 1],
      ["f", "g", 2],
      ["g", undefined, 3],
    ]);
    table.deleteRange(bytes("a"), bytes("b"), 4);
    expect(piecesOf(table)).toHaveLength(4);
    table.deleteRange(bytes(""), undefined, 5);
    expect(piecesOf(table)).toEqual([["", undefined, 5]]);
    table.audit();
  });

  test("of no key do nothing", () => {
    const table = filled("a");
    table.deleteRange(bytes("a"), bytes("a"), 2);
    table.deleteRange(bytes("b"), bytes("a"), 3);
    expect(piecesOf(table)).toEqual([]);
    expect(keysOf(table)).toEqual(["a"]);
  });

  test("keep copies of their bounds", () => {
    const table = filled("a", "b", "c");
    const [start, end] = [bytes("a"), bytes("b")];
    table.deleteRange(start, end, 4);
    start.fill(0xff);
    end.fill(0xff);
    expect(keysOf(table)).toEqual(["b", "c"]);
  });

  test("twenty thousand of them take some dozen looks, not one each", () => {
    const count = 20_000;
    const numbered = (n: number): Buffer => {
      const key = Buffer.alloc(4);
      key.writeUInt32BE(n);
      return key;
    };
    const table = new Memtable();
    for (let i = 0; i < count; i++) {
      const n = (i * 48_271) % count;
      table.deleteRange(numbered(3 * n), numbered(3 * n + 2), i + 1);
    }
    table.audit();
    const { blocks } = table.snapshot().run().list;
    let looks = 0;
    const counting = <Item>(items: readonly Item[]): readonly Item[] =>
      new Proxy(items, {
        get: (target, name) => {
          if (name !== "length") looks++;
          return Reflect.get(target, name) as unknown;
        },
      });
    const list = new PieceList(
      counting(blocks.map(({ pieces, birth }) => new Block(counting(pieces), birth))),
      count,
      count,
    );
    for (const n of [0, 1, 2, 3, 30_000, 3 * count - 2, 3 * count - 1, 3 * count]) {
      looks = 0;
      const isCovered = n % 3 < 2 && n < 3 * count;
      expect(list.covering(numbered(n)) !== undefined).toBe(isCovered);
      expect(table.get(numbered(n), () => 0)).toBe(isCovered ? null : undefined);
      // One at each step over the blocks and one at the end of the block there; then one a piece.
      expect(looks).toBeLessThanOrEqual(30);
    }
  });
});

describe("values", () => {
  test("of every size from none to over a chunk come back", () => {
    const table = new Memtable();
    const sizes = [
      0, 1, 7, 8, 9, 488, 489, 490, 520, 2047, 2048, 2049, 8191, 8193, 65_500, 65_513, 65_516, 65_517, 70_000,
      262_144, 300_000,
    ];
    sizes.forEach((size, i) => {
      table.put(bytes(numberedKey(i)), new Uint8Array(size).fill(i + 1), i + 1);
    });
    table.audit();
    sizes.forEach((size, i) => {
      const found = table.get(bytes(numberedKey(i)), () => 0) as Uint8Array;
      expect(Buffer.alloc(size, i + 1).equals(found), `${size} bytes`).toBe(true);
    });
    const now = table.snapshot();
    expect(readAll(now).map(({ value }) => value.length)).toEqual(sizes);
    now.release();
    sizes.forEach((_, i) => {
      table.delete(bytes(numberedKey(i)), 100 + i);
    });
    table.audit();
    expect(table.valueBytes).toBe(0);
  });
});

describe("a leaf that is full", () => {
  // The last leaf is split in the middle by a key that then ends its left half: what comes behind all keys must not go there.
  test.each([31, 32, 33, 63, 64])(
    "is split by a key at %i, and those behind all others go to its right",
    (place) => {
      const keys = Array.from({ length: 64 }, (_, i) => numberedKey(2 * i + 1));
      const table = filled(...keys, numberedKey(2 * place));
      for (let i = 0; i < 200; i++) {
        table.put(bytes(numberedKey(1000 + i)), bytes("behind"), 100 + i);
        table.audit();
      }
      expect(keysOf(table)).toHaveLength(265);
    },
  );
});

describe("snapshots", () => {
  test("four hundred of them, one a write, each show their own time", () => {
    const table = new Memtable();
    const views: MemtableSnapshot[] = [];
    for (let i = 0; i < 400; i++) {
      views.push(table.snapshot());
      table.put(bytes(numberedKey((i * 7919) % 400)), bytes(`${i}`), i + 1);
    }
    for (let i = 0; i < 400; i++) {
      if (i % 2 === 0) table.delete(bytes(numberedKey(i)), 401 + i);
      else table.deleteRange(bytes(numberedKey(i)), bytes(numberedKey(i + 1)), 401 + i);
      views.push(table.snapshot());
    }
    const visible = Array.from({ length: 800 }, (_, i) => (i < 400 ? i : 799 - i));
    expect(views.map((view) => view.size)).toEqual(visible.map((_, i) => Math.min(i, 400)));
    expect(views.map((view) => readAll(view).length)).toEqual(visible);
    table.audit();
    views.forEach((view, i) => {
      if (i % 3 === 0) view.release();
    });
    table.audit();
    views.forEach((view, i) => {
      if (i % 3 !== 0) expect(readAll(view)).toHaveLength(visible[i] as number);
    });
  });

  test("keep the value of an overwritten key", () => {
    const table = filled("a");
    const before = table.snapshot();
    table.put(bytes("a"), bytes("nw"), 2);
    const after = table.snapshot();
    table.delete(bytes("a"), 3);
    expect(before.get(bytes("a"), () => 0)).toEqual(bytes("va"));
    expect(after.get(bytes("a"), () => 0)).toEqual(bytes("nw"));
    expect(table.get(bytes("a"), () => 0)).toBeNull();
  });

  test("taken before a range is deleted do not see that, and those taken after it do", () => {
    const table = filled("a", "b", "c");
    const before = table.snapshot();
    table.deleteRange(bytes("b"), undefined, 4);
    const after = table.snapshot();
    table.put(bytes("c"), bytes("new"), 5);
    expect(readAll(before).map(({ value }) => value)).toEqual(["va", "vb", "vc"]);
    expect(before.rangeTombstones).toEqual([]);
    expect(readAll(after).map(({ value }) => value)).toEqual(["va"]);
    expect([before.get(bytes("c"), () => 0), after.get(bytes("c"), () => 0)]).toEqual([bytes("vc"), null]);
    expect([before.lastSequence, after.lastSequence]).toEqual([3, 4]);
  });
});

describe("a hundred thousand entries", () => {
  const count = 100_000;
  const sequential = Array.from({ length: count }, (_, i) => i);
  // 48,271 and 100,000 have no common divisor, so this visits each number once.
  const scattered = sequential.map((i) => (i * 48_271) % count);
  const key = Buffer.alloc(4);
  const value = new Uint8Array(10);
  const numbered = (n: number): Uint8Array => {
    key.writeUInt32BE(n);
    return key;
  };

  test.each([
    { name: "in order", into: sequential },
    { name: "backwards", into: sequential.toReversed() },
    { name: "scattered", into: scattered },
  ])("$name, come out in order", ({ into }) => {
    const table = new Memtable();
    let sequence = 0;
    for (const n of into) table.put(numbered(n), value, ++sequence);
    table.audit();
    const cursor = table.snapshot().run().cursor;
    let n = 0;
    for (let found = cursor.seekFirst(); found; found = cursor.next()) {
      if (Buffer.compare(cursor.key, numbered(n++)) !== 0) expect.fail(`key ${n - 1} is wrong`);
    }
    expect(n).toBe(count);
    for (let found = cursor.seekLast(); found; found = cursor.previous()) {
      if (Buffer.compare(cursor.key, numbered(--n)) !== 0) expect.fail(`key ${n} is wrong`);
    }
    expect(n).toBe(0);
  });
});

describe("compareBytes", () => {
  test("orders as Buffer.compare does", () => {
    const long = fc.uint8Array({ maxLength: 3 }).map((tail) => bytes("x".repeat(47) + text(tail)));
    const any = fc.oneof(fc.uint8Array({ maxLength: 6 }), long);
    fc.assert(
      fc.property(any, any, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
        expect(compareBytes(a, a)).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("successorOfPrefix", () => {
  const prefix = fc.string({ unit: fc.constantFrom("\x00", "a", "\xfe", "\xff"), maxLength: 5 });

  test("is behind every key with the prefix and not behind any other key that is", () => {
    fc.assert(
      fc.property(prefix, prefix, (start, other) => {
        const end = successorOfPrefix(bytes(start));
        const inRange = (key: string): boolean => key >= start && (end === undefined || key < text(end));
        expect(inRange(start + other)).toBe(true);
        expect(inRange(other)).toBe(other.startsWith(start));
      }),
      { numRuns: 1000 },
    );
  });

  test("is undefined where nothing is behind the prefix", () => {
    for (const start of ["", "\xff", "\xff\xff"]) expect(successorOfPrefix(bytes(start))).toBeUndefined();
  });

  test("drops trailing 0xff and leaves the prefix as it was", () => {
    const start = Buffer.from([0x61, 0xff, 0xff]);
    const end = successorOfPrefix(start);
    expect(end).toEqual(new Uint8Array([0x62]));
    expect(end?.constructor).toBe(Uint8Array);
    expect([...start]).toEqual([0x61, 0xff, 0xff]);
  });
});
