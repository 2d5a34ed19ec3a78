import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseEntryKey } from "../src/indexes/entry-key.js";
import { type EntryChange, entryOperations, type KeptIndex } from "../src/indexes/maintain.js";

const bytes = (text: string) => new Uint8Array(Buffer.from(text));
const text = (array: Uint8Array) => Buffer.from(array).toString();
const hex = (array: Uint8Array) => Buffer.from(array).toString("hex");

const byTag: KeptIndex = { id: 1, name: "byTag", unique: false, isBuilding: false };
const byEmail: KeptIndex = { id: 2, name: "byEmail", unique: true, isBuilding: false };

/** The entries of a store, by key; of a unique index with the row that has the key. */
class Entries {
  readonly all = new Map<string, { value: string; expiresAt: number | undefined }>();
  reads = 0;
  now = 0;

  /** What was written, or undefined where a row wants a key that another one has. */
  change(...changes: EntryChange[]): string[] | undefined {
    const done = entryOperations(changes, 100, (key) => {
      this.reads++;
      const entry = this.all.get(hex(key));
      return entry && { rowKey: bytes(entry.value), hasExpired: (entry.expiresAt ?? this.now) < this.now };
    });
    if ("violation" in done) return undefined;
    return done.operations.map((operation) => {
      if (operation.type === "put") {
        const { key, value, expiresAt } = operation;
        this.all.set(hex(key), { value: text(value), expiresAt });
        return `+${show(key, value)}`;
      }
      if (operation.type !== "delete") throw new Error("never");
      const value = this.all.get(hex(operation.key))?.value ?? "";
      this.all.delete(hex(operation.key));
      return `-${show(operation.key, bytes(value))}`;
    });
  }

  get sorted(): string[] {
    return [...this.all].map(([key, { value }]) => show(Buffer.from(key, "hex"), bytes(value))).sort();
  }
}

function show(key: Uint8Array, value: Uint8Array): string {
  const { indexKey, rowKey } = parseEntryKey(key);
  return `${text(indexKey)}>${text(rowKey)}${text(value)}`;
}

function change(
  index: KeptIndex,
  row: string,
  before: string[],
  after: string[],
  times: readonly (number | undefined)[] = [],
): EntryChange {
  const [expiredAt, expiresAt] = times;
  return {
    index,
    rowKey: bytes(row),
    before: before.map(bytes),
    after: after.map(bytes),
    expiredAt,
    expiresAt,
  };
}

describe("the entries of a row that changes", () => {
  it("are those that are not there yet, without those that are no more", () => {
    const entries = new Entries();
    expect(entries.change(change(byTag, "1", [], ["a", "b"]))).toEqual(["+a>1", "+b>1"]);
    expect(entries.change(change(byTag, "1", ["a", "b"], ["b", "c"]))).toEqual(["-a>1", "+c>1"]);
    expect(entries.change(change(byTag, "1", ["b", "c"], ["b", "c"]))).toEqual([]);
    expect(entries.change(change(byTag, "1", ["b", "c"], []))).toEqual(["-b>1", "-c>1"]);
  });

  it("that stay are written again where the row expires at another time", () => {
    const entries = new Entries();
    expect(entries.change(change(byTag, "1", [], ["a"], [undefined, 5]))).toEqual(["+a>1"]);
    expect([...entries.all.values()]).toEqual([{ value: "", expiresAt: 5 }]);
    expect(entries.change(change(byTag, "1", ["a"], ["a"], [5, 5]))).toEqual([]);
    expect(entries.change(change(byTag, "1", ["a"], ["a"], [5, undefined]))).toEqual(["+a>1"]);
    expect([...entries.all.values()]).toEqual([{ value: "", expiresAt: undefined }]);
  });

  it("that stay are written again while the index is being built: nobody knows whether they are there", () => {
    const entries = new Entries();
    const building = { ...byTag, isBuilding: true };
    expect(entries.change(change(building, "1", ["a", "b"], ["b"]))).toEqual(["-a>1", "+b>1"]);
  });
});

describe("a unique index", () => {
  it("has one row for a key, and says which one has it", () => {
    const entries = new Entries();
    expect(entries.change(change(byEmail, "1", [], ["x"]))).toEqual(["+x>1"]);
    expect(entries.change(change(byEmail, "2", [], ["x"]))).toBeUndefined();
    const { violation } = entryOperations([change(byEmail, "2", [], ["x"])], 100, () => ({
      rowKey: bytes("1"),
      hasExpired: false,
    })) as {
      violation: unknown;
    };
    expect(violation).toEqual({
      index: byEmail,
      indexKey: bytes("x"),
      rowKey: bytes("2"),
      owner: bytes("1"),
    });
    expect(entries.change(change(byEmail, "2", [], ["y"]), change(byEmail, "3", [], ["y"]))).toBeUndefined();
  });

  it("lets rows that change together swap their keys", () => {
    const entries = new Entries();
    entries.change(change(byEmail, "1", [], ["x"]), change(byEmail, "2", [], ["y"]));
    expect(entries.change(change(byEmail, "2", ["y"], ["x"]), change(byEmail, "1", ["x"], ["y"]))).toEqual([
      "+x>2",
      "+y>1",
    ]);
    expect(entries.change(change(byEmail, "3", [], ["x"]), change(byEmail, "2", ["x"], []))).toEqual([
      "+x>3",
    ]);
  });

  it("never deletes an entry that another row has", () => {
    const entries = new Entries();
    const building = { ...byEmail, isBuilding: true };
    entries.change(change(building, "2", [], ["x"])); // row 1 has x too, and no entry yet
    expect(entries.change(change(building, "1", ["x"], []))).toEqual([]);
    expect(entries.sorted).toEqual(["x>2"]);
  });

  it("lets another row take a key that expired with its row, which deletes nothing of the other any more", () => {
    const entries = new Entries();
    entries.change(change(byEmail, "1", [], ["x"], [undefined, 5]));
    expect(entries.change(change(byEmail, "2", [], ["x"]))).toBeUndefined();
    entries.now = 6;
    expect(entries.change(change(byEmail, "2", [], ["x"]))).toEqual(["+x>2"]);
    expect(entries.change(change(byEmail, "1", ["x"], ["y"], [5, undefined]))).toEqual(["+y>1"]);
    entries.change(change(byEmail, "3", [], ["z"], [undefined, 5]));
    expect(entries.change(change(byEmail, "3", ["z"], ["y2"], [5, undefined]))).toEqual(["-z>3", "+y2>3"]);
  });

  it("reads no entry where a row keeps its key", () => {
    const entries = new Entries();
    entries.change(change(byEmail, "1", [], ["x"]));
    entries.reads = 0;
    entries.change(change(byEmail, "1", ["x"], ["x"]));
    expect(entries.reads).toBe(0);
  });
});

describe("whatever rows do, in batches", () => {
  const keys = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { maxLength: 2 });
  const rows = fc.uniqueArray(fc.record({ row: fc.constantFrom("1", "2", "3"), keys }), {
    selector: ({ row }) => row,
    minLength: 1,
  });

  for (const index of [byTag, byEmail])
    it(`the entries of a ${index.unique ? "unique " : ""}index are those of the rows`, () => {
      fc.assert(
        fc.property(fc.array(rows, { maxLength: 12 }), (batches) => {
          const entries = new Entries();
          const model = new Map<string, readonly string[]>();
          for (const batch of batches) {
            const next = new Map([...model, ...batch.map(({ row, keys }) => [row, keys] as const)]);
            const all = [...next.values()].flat();
            const isAllowed = !index.unique || new Set(all).size === all.length;
            const changes = batch.map(({ row, keys }) =>
              change(index, row, [...(model.get(row) ?? [])], keys),
            );
            expect(entries.change(...changes) !== undefined).toBe(isAllowed);
            if (isAllowed) for (const { row, keys } of batch) model.set(row, keys);
          }
          const expected = [...model].flatMap(([row, keys]) => keys.map((key) => `${key}>${row}`));
          expect(entries.sorted).toEqual(expected.sort());
        }),
      );
    });
});
