import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { compareBytes, successorOfPrefix } from "../src/memtable/bytes.js";
import { type KeyRange, Memtable } from "../src/memtable/memtable.js";
import type { MemtableSnapshot } from "../src/memtable/memtable-snapshot.js";

vi.setConfig({ testTimeout: 120_000 });

/** Latin-1 strings sort as the bytes they stand for do, by code that is not ours. */
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const bytes = (latin1: string): Uint8Array => new Uint8Array(Buffer.from(latin1, "latin1"));

interface ModelEntry {
  readonly key: string;
  readonly value: string;
  readonly sequence: number;
}

type TextRange = { [side in "gt" | "gte" | "lt" | "lte"]?: string | undefined } & {
  reverse?: boolean | undefined;
  limit?: number | undefined;
};

/** What a memtable must answer, in the plainest way. */
class Model {
  readonly #entries = new Map<string, ModelEntry>();

  put(entry: ModelEntry): void {
    this.#entries.set(entry.key, entry);
  }

  delete(key: string): boolean {
    return this.#entries.delete(key);
  }

  sorted(): readonly ModelEntry[] {
    return [...this.#entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }
}

function modelRange(sorted: readonly ModelEntry[], range: TextRange): readonly ModelEntry[] {
  const { gt, gte, lt, lte, reverse, limit } = range;
  const within = sorted.filter(
    ({ key }) =>
      (gt === undefined || key > gt) &&
      (gte === undefined || key >= gte) &&
      (lt === undefined || key < lt) &&
      (lte === undefined || key <= lte),
  );
  return (reverse ? within.toReversed() : within).slice(0, limit);
}

function toKeyRange(range: TextRange): KeyRange {
  const given = Object.entries(range).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    given.map(([name, value]) => [name, typeof value === "string" ? bytes(value) : value]),
  );
}

type KeyAndValue = Omit<ModelEntry, "sequence">;

/** In pages, to cross from one to the next at many places. */
function readSnapshot(view: MemtableSnapshot, range?: KeyRange): KeyAndValue[] {
  const reader = view.entries(range);
  const found: KeyAndValue[] = [];
  for (let page = reader.read(7); page.length > 0; page = reader.read(7)) {
    found.push(...page.map(({ key, value }) => ({ key: text(key), value: text(value) })));
  }
  return found;
}

function read(table: Memtable, range?: KeyRange): KeyAndValue[] {
  const now = table.snapshot();
  try {
    return readSnapshot(now, range);
  } finally {
    now.release();
  }
}

const withoutSequence = ({ key, value }: ModelEntry): KeyAndValue => ({ key, value });

const keysOf = (table: Memtable, range?: TextRange): string[] =>
  read(table, range && toKeyRange(range)).map(({ key }) => key);

function filled(...keys: string[]): Memtable {
  const table = new Memtable();
  keys.forEach((key, i) => {
    table.put(bytes(key), bytes(`v${key}`), i + 1);
  });
  return table;
}

/** Keys where bugs of order live: empty, zero bytes, 0xff, one a prefix of the other, equal for longer than inline comparison goes. */
const nastyKey = fc.oneof(
  fc.string({ unit: fc.constantFrom("\x00", "\x01", "a", "\x7f", "\x80", "\xff"), maxLength: 4 }),
  fc
    .string({ unit: fc.constantFrom("\x00", "b", "\xff"), maxLength: 4 })
    .map((tail) => "user:".repeat(12) + tail),
);

const rangeOf = (key: fc.Arbitrary<string>): fc.Arbitrary<TextRange> =>
  fc.record(
    { gt: key, gte: key, lt: key, lte: key, reverse: fc.boolean(), limit: fc.nat({ max: 200 }) },
    { requiredKeys: [] },
  );

type Operation =
  | { type: "put"; keys: readonly string[] }
  | { type: "delete"; keys: readonly string[] }
  | { type: "range"; range: TextRange }
  | { type: "snapshot" }
  | { type: "release"; which: number };

/** Runs of neighbouring keys, long enough for a tree of three levels to grow and shrink within one property run. */
const keyRun = fc
  .record({
    first: fc.nat({ max: 5000 }),
    count: fc.nat({ max: 1500 }),
    stride: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ first, count, stride }) =>
    Array.from({ length: count }, (_, i) => numberedKey(first + i * stride)),
  );

const numberedKey = (n: number): string => String.fromCharCode(0xff, n >>> 8, n & 0xff);

const anyKey = fc.oneof(nastyKey, fc.nat({ max: 10_000 }).map(numberedKey));
const anyKeys = fc.oneof(fc.array(nastyKey, { maxLength: 40 }), keyRun);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constantFrom("put" as const, "delete" as const), keys: anyKeys }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("range"), range: rangeOf(anyKey) }) },
  { weight: 2, arbitrary: fc.constant({ type: "snapshot" } as const) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("release" as const), which: fc.nat() }) },
);

interface Held {
  readonly view: MemtableSnapshot;
  readonly expected: readonly ModelEntry[];
}

function apply(table: Memtable, model: Model, operations: readonly Operation[]): void {
  const held: Held[] = [];
  let sequence = 0;
  for (const step of operations) {
    if (step.type === "put") {
      for (const key of step.keys) {
        // Of lengths that sometimes fit in the place of the value before, and sometimes do not.
        const entry = { key, value: `${++sequence}`.repeat(1 + (sequence % 5)), sequence };
        table.put(bytes(key), bytes(entry.value), sequence);
        model.put(entry);
      }
    } else if (step.type === "delete") {
      for (const key of step.keys) expect(table.delete(bytes(key), ++sequence)).toBe(model.delete(key));
    } else if (step.type === "range") {
      const expected = modelRange(model.sorted(), step.range).map(withoutSequence);
      expect(read(table, toKeyRange(step.range))).toEqual(expected);
    } else if (step.type === "snapshot") {
      held.push({ view: table.snapshot(), expected: model.sorted() });
    } else {
      for (const { view } of held.splice(step.which % (held.length + 1), 1)) view.release();
    }
    table.audit();
  }
  for (const { view, expected } of held) expectHolds(view, expected);
  for (const { view } of held) view.release();
  const now = table.snapshot();
  expectHolds(now, model.sorted());
  now.release();
  table.audit();
  for (const entry of model.sorted()) expect(table.sequenceOf(bytes(entry.key))).toBe(entry.sequence);
}

function expectHolds(view: MemtableSnapshot, expected: readonly ModelEntry[]): void {
  expect(view.size).toBe(expected.length);
  expect(readSnapshot(view)).toEqual(expected.map(withoutSequence));
  expect(readSnapshot(view, { reverse: true })).toEqual(expected.toReversed().map(withoutSequence));
  for (const { key, value } of expected) {
    const found = view.get(bytes(key));
    if (found === undefined || text(found) !== value) expect(found && text(found)).toBe(value);
  }
}

function sumOfLengths(entries: readonly ModelEntry[], part: "key" | "value"): number {
  return entries.reduce((sum, entry) => sum + entry[part].length, 0);
}

describe("the memtable against a model", () => {
  // One secret of the hash, so that a run can be repeated.
  test("answers as a sorted array does, in the present and in every snapshot", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 24 }), (operations) => {
        const table = new Memtable({ hashSecret: { low: 1, high: 2 } });
        const model = new Model();
        apply(table, model, operations);
        expect(table.keyBytes).toBe(sumOfLengths(model.sorted(), "key"));
        expect(table.valueBytes).toBe(sumOfLengths(model.sorted(), "value"));
      }),
      { numRuns: 60 },
    );
  });

  test("answers every range over nasty keys", () => {
    fc.assert(
      fc.property(
        fc.array(nastyKey, { maxLength: 150 }),
        fc.array(rangeOf(nastyKey), { maxLength: 10 }),
        (keys, ranges) => {
          const table = filled(...keys);
          const sorted = [...new Set(keys)].sort().map((key) => ({ key, value: `v${key}`, sequence: 0 }));
          expect(read(table)).toEqual(sorted.map(withoutSequence));
          for (const range of ranges) {
            expect(read(table, toKeyRange(range))).toEqual(modelRange(sorted, range).map(withoutSequence));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test("answers each combination of bounds, direction and limit, on, between and beyond the keys", () => {
    const keys = Array.from({ length: 300 }, (_, i) => numberedKey(2 * i + 1));
    const table = filled(...keys);
    const sorted = keys.map((key) => ({ key, value: "", sequence: 0 }));
    const bounds = [
      undefined,
      "",
      numberedKey(0),
      numberedKey(129),
      numberedKey(130),
      numberedKey(599),
      "\xff\xff",
    ];
    const choices = bounds.flatMap((a) => bounds.map((b) => [a, b] as const));
    for (const [gt, gte] of choices) {
      for (const [lt, lte] of choices) {
        for (const [reverse, limit] of [[false], [true], [true, 70], [false, 70], [false, 0]] as const) {
          const range = { gt, gte, lt, lte, reverse, limit };
          const expected = modelRange(sorted, range).map(({ key }) => key);
          expect(keysOf(table, range).join()).toBe(expected.join());
        }
      }
    }
  });
});

describe("entries", () => {
  test("an empty key and an empty value are a key and a value", () => {
    const table = new Memtable();
    table.put(bytes(""), bytes(""), 7);
    expect(read(table)).toEqual([{ key: "", value: "" }]);
    expect(table.get(bytes(""))).toEqual(new Uint8Array(0));
    expect([table.size, table.keyBytes, table.valueBytes]).toEqual([1, 0, 0]);
    expect(table.delete(bytes(""), 8)).toBe(true);
    expect(table.delete(bytes(""), 9)).toBe(false);
    expect(table.size).toBe(0);
  });

  test("a put over a key replaces value and sequence", () => {
    const table = filled("a", "b");
    table.put(bytes("a"), bytes("longer"), 9);
    expect(read(table)).toEqual([
      { key: "a", value: "longer" },
      { key: "b", value: "vb" },
    ]);
    expect([table.sequenceOf(bytes("a")), table.sequenceOf(bytes("b"))]).toEqual([9, 2]);
    expect([table.size, table.keyBytes, table.valueBytes]).toEqual([2, 2, 8]);
  });

  test("are plain copies: the caller's buffers are free after put, and what comes out never changes", () => {
    const table = new Memtable();
    const key = Buffer.from("key");
    const value = Buffer.from("value");
    table.put(key, value, 1);
    key.fill(0);
    value.fill(0);
    const now = table.snapshot();
    const [entry] = now.entries().read(1);
    const got = table.get(bytes("key")) as Uint8Array;
    table.put(bytes("key"), bytes("other"), 2); // in the place of the first
    got.fill(0x21);
    expect(entry).toEqual({ key: bytes("key"), value: bytes("value") });
    expect(table.get(bytes("key"))).toEqual(bytes("other"));
    expect(now.get(bytes("key"))).toEqual(bytes("value"));
    for (const given of [entry?.key, entry?.value, got]) expect(given?.constructor).toBe(Uint8Array);
  });

  test("what comes out of many reads does not overlap", () => {
    const table = filled(...Array.from({ length: 500 }, (_, i) => numberedKey(i)));
    const now = table.snapshot();
    const entries = now.entries().read(1000);
    const values = entries.map(({ key }) => table.get(key));
    expect(entries.map(({ value }) => value)).toEqual(values);
    for (const { key, value } of entries) for (const given of [key, value]) given.fill(0);
    expect(values.map((value) => text(value as Uint8Array))).toEqual(
      Array.from({ length: 500 }, (_, i) => `v${numberedKey(i)}`),
    );
  });

  test("an entry found by a longer or shorter key is none", () => {
    const table = filled("ab");
    for (const key of ["", "a", "aba", "ab\0"]) expect(table.get(bytes(key))).toBeUndefined();
  });

  test("sequence numbers past 32 bits stay exact", () => {
    const table = new Memtable();
    for (const sequence of [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER]) {
      table.put(bytes("k"), bytes("v"), sequence);
      expect(table.sequenceOf(bytes("k"))).toBe(sequence);
    }
  });

  test("a change that is older than the one before is a bug, and told (M1)", () => {
    const table = filled("a", "b");
    expect(() => table.put(bytes("c"), bytes(""), 2)).toThrow("M1");
    expect(() => table.delete(bytes("a"), 1)).toThrow("M1");
    expect(keysOf(table)).toEqual(["a", "b"]);
  });

  test("values of every size from none to over a chunk come back", () => {
    const table = new Memtable();
    const sizes = [
      0, 1, 7, 8, 9, 2047, 2048, 2049, 8191, 8193, 65_500, 65_516, 65_517, 70_000, 262_144, 300_000,
    ];
    sizes.forEach((size, i) => {
      table.put(bytes(numberedKey(i)), new Uint8Array(size).fill(i + 1), i + 1);
    });
    table.audit();
    sizes.forEach((size, i) => {
      const found = table.get(bytes(numberedKey(i))) as Uint8Array;
      expect(Buffer.alloc(size, i + 1).equals(found), `${size} bytes`).toBe(true);
    });
    const now = table.snapshot();
    expect(
      now
        .entries()
        .read(100)
        .map(({ value }) => value.length),
    ).toEqual(sizes);
    now.release();
    sizes.forEach((_, i) => {
      table.delete(bytes(numberedKey(i)), 100 + i);
    });
    table.audit();
    expect(table.memory.records).toBe(0);
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

describe("iteration", () => {
  test("shows the table as of the snapshot", () => {
    const keys = Array.from({ length: 500 }, (_, i) => numberedKey(i));
    const table = filled(...keys);
    const reader = table.snapshot().entries();
    keys.forEach((key, i) => {
      table.delete(bytes(key), 501 + i);
    });
    table.put(bytes("new"), bytes(""), 1001);
    expect(reader.readKeys(Number.POSITIVE_INFINITY).map(text)).toEqual(keys);
    expect(keysOf(table)).toEqual(["new"]);
  });

  test.each([
    { lower: "gte", upper: "lt", reverse: false, count: 390 },
    { lower: "gt", upper: "lte", reverse: false, count: 390 },
    { lower: "gte", upper: "lte", reverse: true, count: 391 },
    { lower: "gt", upper: "lt", reverse: true, count: 389 },
  ])("keeps $lower and $upper when the caller's buffers change (reverse: $reverse)", (given) => {
    const table = filled(...Array.from({ length: 500 }, (_, i) => numberedKey(i)));
    const lower = bytes(numberedKey(10));
    const upper = bytes(numberedKey(400));
    const range = { [given.lower]: lower, [given.upper]: upper, reverse: given.reverse };
    const reader = table.snapshot().entries(range);
    // Each bound moves so that the scan would miss entries, or take more of them, when it comes to it.
    lower.fill(given.reverse ? 0 : 0xff);
    upper.fill(given.reverse ? 0xff : 0);
    expect(reader.read(1000)).toHaveLength(given.count);
  });

  test("stays over after its end", () => {
    const reader = filled("a").snapshot().entries();
    expect([reader.read(1).length, reader.read(1).length, reader.read(1).length]).toEqual([1, 0, 0]);
  });

  test("over an empty table is over at once", () => {
    const now = new Memtable().snapshot();
    for (const range of [{}, { reverse: true }, { gt: bytes("a") }, { lt: bytes("a"), reverse: true }]) {
      expect(now.entries(range).read(1)).toEqual([]);
    }
  });
});

describe("snapshots", () => {
  test("a thousand of them, one a write, each show their own time", () => {
    const table = new Memtable();
    const views: MemtableSnapshot[] = [];
    for (let i = 0; i < 1000; i++) {
      views.push(table.snapshot());
      table.put(bytes(numberedKey((i * 7919) % 1000)), bytes(`${i}`), i + 1);
    }
    for (let i = 0; i < 1000; i++) {
      table.delete(bytes(numberedKey(i)), 1001 + i);
      views.push(table.snapshot());
    }
    const sizes = Array.from({ length: 2000 }, (_, i) => (i < 1000 ? i : 1999 - i));
    expect(views.map((view) => view.size)).toEqual(sizes);
    expect(views.map((view) => readSnapshot(view).length)).toEqual(sizes);
    table.audit();
    views.forEach((view, i) => {
      if (i % 3 === 0) view.release();
    });
    table.audit();
    views.forEach((view, i) => {
      if (i % 3 !== 0) expect(readSnapshot(view)).toHaveLength(sizes[i] as number);
    });
  });

  test("keep the value of an overwritten key", () => {
    const table = filled("a");
    const before = table.snapshot();
    table.put(bytes("a"), bytes("nw"), 2);
    const after = table.snapshot();
    table.delete(bytes("a"), 3);
    expect(readSnapshot(before)).toEqual([{ key: "a", value: "va" }]);
    expect(readSnapshot(after)).toEqual([{ key: "a", value: "nw" }]);
    expect(table.get(bytes("a"))).toBeUndefined();
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
    { name: "in order, out in order", into: sequential, out: sequential },
    { name: "in order, out backwards", into: sequential, out: sequential.toReversed() },
    { name: "backwards in, scattered out", into: sequential.toReversed(), out: scattered },
    { name: "scattered in, in order out", into: scattered, out: sequential },
  ])("$name, leave nothing", ({ into, out }) => {
    const table = new Memtable();
    let sequence = 0;
    for (const n of into) table.put(numbered(n), value, ++sequence);
    table.audit();
    expect([table.size, table.keyBytes, table.valueBytes]).toEqual([count, 4 * count, 10 * count]);
    const now = table.snapshot();
    const keys = now.entries().readKeys(Number.POSITIVE_INFINITY);
    now.release();
    expect(keys.map((found) => Buffer.from(found).readUInt32BE())).toEqual(sequential);
    expect(out.filter((n) => !table.delete(numbered(n), ++sequence))).toEqual([]);
    table.audit();
    expect([table.size, table.keyBytes, table.valueBytes]).toEqual([0, 0, 0]);
    expect(read(table)).toEqual([]);
    expect(table.memory.allocated).toBeLessThan(3 * 2 ** 20);
  });
});

describe("entries that are loaded in key order", () => {
  test.each([0, 1, 256, 257, 5000])(
    "%i of them are found, ordered and changed as if they had been put",
    (count) => {
      const key = (i: number) => bytes(`key ${i.toString().padStart(6, "0")}`);
      const table = new Memtable();
      for (let i = 0; i < count; i++) table.load(key(i), bytes(`${i}`), count - i);
      table.finishLoading(count);
      table.audit();
      expect([table.size, table.has(key(count))]).toEqual([count, false]);
      for (let i = 0; i < count; i++) {
        expect(text(table.get(key(i)) ?? bytes("absent"))).toBe(`${i}`);
        expect(table.sequenceOf(key(i))).toBe(count - i);
      }
      for (let i = 0; i <= count; i += 2) table.put(key(i), bytes("new"), count + 1 + i);
      table.audit();
      expect(text(table.get(key(0)) ?? bytes("absent"))).toBe("new");
    },
  );
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
