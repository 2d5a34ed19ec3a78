import { SimDisk } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import {
  decodeRecord,
  EncodedOperations,
  encodeRecord,
  OperationsBuffer,
  type WalOperation,
  WalWriter,
} from "../src/index.js";
import { KeyChanges } from "../src/key-changes.js";
import { anyRange, anyTime } from "./arbitraries.js";
import { batch, bytes, del, delRange, plain, put, putUntil } from "./support.js";

vi.setConfig({ testTimeout: 120_000 });

const key = fc.uint8Array({ maxLength: 40 });
const operation: fc.Arbitrary<WalOperation> = fc.oneof(
  fc.record({ type: fc.constant("put" as const), key, value: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({
    type: fc.constant("put" as const),
    key,
    value: fc.uint8Array({ maxLength: 300 }),
    expiresAt: anyTime,
  }),
  fc.record({ type: fc.constant("delete" as const), key }),
  anyRange,
);

function buffered(operations: readonly WalOperation[]): OperationsBuffer {
  const buffer = new OperationsBuffer();
  for (const one of operations) {
    if (one.type === "put") buffer.put(one.key, one.value, one.expiresAt);
    else if (one.type === "deleteRange") buffer.deleteRange(one.start, one.end);
    else buffer.delete(Buffer.concat([bytes("before"), one.key, bytes("behind")]), 6, 6 + one.key.length);
  }
  return buffer;
}

/** Of few keys, so that each comes again and again. */
const many = (count: number, from = 0): WalOperation[] =>
  Array.from({ length: count }, (_, i) =>
    (from + i) % 7 === 0
      ? del(`k${(from + i) % 50}`)
      : (from + i) % 7 === 1
        ? putUntil(i + 1, `k${(from + i) % 50}`)
        : put(`k${(from + i) % 50}`, `${i}`),
  );

function decoded(operations: readonly WalOperation[], lsn = 1, sequence = 1) {
  const result = decodeRecord(encodeRecord({ lsn, sequence, payload: batch(...operations) }));
  if (result.status !== "complete") throw new Error("the record is whole");
  return result.record;
}

describe("operations that are encoded one by one", () => {
  it("stand in a record as an array of them does", () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 300 }), (operations) => {
        const buffer = buffered(operations);
        expect(buffer.count).toBe(operations.length);
        const encoded = buffer.take();
        expect([encoded.length, buffer.count, buffer.length]).toEqual([operations.length, 0, 0]);
        expect([...encoded]).toEqual(operations);
        const record = { lsn: 1, sequence: 1, payload: { type: "batch", operations: encoded } } as const;
        expect(encodeRecord(record)).toEqual(encodeRecord({ ...record, payload: batch(...operations) }));
      }),
      { numRuns: 60 },
    );
  });

  it("are appended as they are, and decoded without an object each", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    const operations = many(5000);
    await writer.append({ type: "batch", operations: buffered(operations).take() });
    await writer.close();
    const found: unknown[] = [];
    const reopened = await WalWriter.open({}, disk, {
      onRecord: ({ record }) => {
        if (record.payload.type === "batch")
          expect(record.payload.operations).toBeInstanceOf(EncodedOperations);
        found.push(...plain([record]));
      },
    });
    expect(found).toEqual(plain([{ lsn: 1, sequence: 1, payload: batch(...operations) }]));
    expect(reopened.nextSequence).toBe(5001);
    await reopened.close();
  });

  it("are visited in parts, which end early where values are large", () => {
    const large = put("large", new Uint8Array(700_000));
    const encoded = buffered([large, large, large, ...many(10)]).take();
    const counts: number[] = [];
    for (let at = 0; !encoded.isEnd(at); ) {
      let count = 0;
      at = encoded.visit(at, 6, () => count++);
      counts.push(count);
    }
    expect(counts).toEqual([2, 6, 5]);
  });
});

const timeOf = (operation: WalOperation): number | undefined =>
  operation.type === "put" ? operation.expiresAt : undefined;

describe("the last change to a key, with large batches among the records", () => {
  it("is what going over all of them finds, however often it was asked before", () => {
    const records = [
      decoded(many(3), 1, 1),
      decoded(many(20_000), 2, 4),
      decoded(many(5, 11), 3, 20_004),
      decoded(many(9000, 3), 4, 20_009),
    ];
    const changes = new KeyChanges();
    const expected = new Map<string, object>();
    for (const [index, { sequence, payload }] of records.entries()) {
      changes.add(records[index] as never);
      if (payload.type !== "batch") continue;
      let next = sequence;
      for (const operation of payload.operations) {
        if (operation.type === "deleteRange") throw new Error("there is none here");
        expected.set(Buffer.from(operation.key).toString(), {
          type: operation.type,
          sequence: next++,
          index,
          expiresAt: timeOf(operation),
        });
      }
      for (let round = 0; round < 2; round++) {
        for (const name of ["k0", "k7", "k13", "k49"]) {
          expect(changes.of(bytes(name)), `${name} after record ${index}`).toEqual(expected.get(name));
        }
        expect(changes.of(bytes("absent"))).toBeUndefined();
      }
    }
    expect(changes.records).toBe(4);
  });
});

describe("the last change to a key, with range deletes among the records", () => {
  const NAMES = Array.from({ length: 12 }, (_, i) => `k${i.toString(16)}`);
  const name = fc.constantFrom(...NAMES);
  const change: fc.Arbitrary<WalOperation> = fc.oneof(
    { weight: 4, arbitrary: name.map((key) => put(key)) },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.constantFrom(1, 2 ** 40 + 1), name).map(([at, key]) => putUntil(at, key)),
    },
    { weight: 2, arbitrary: name.map((key) => del(key)) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(name, name)
        .map((names) => names.sort())
        .map(([start, end]) => delRange(start, `${end}!`)),
    },
    { weight: 1, arbitrary: name.map((key) => delRange(key)) },
  );
  const covers = (operation: WalOperation, key: string) =>
    operation.type === "deleteRange"
      ? Buffer.from(operation.start).toString() <= key &&
        (operation.end === undefined || key < Buffer.from(operation.end).toString())
      : Buffer.from(operation.key).toString() === key;

  it("is the last of all that touch it, in one batch and across batches, large ones too, whatever was asked when", () => {
    const few = fc.array(change, { minLength: 1, maxLength: 6 });
    // Longer than what one question learns, so that ranges stand in what is known and in what is not.
    const large = few.map((some) =>
      Array.from({ length: 9000 }, (_, i) =>
        i % 1500 === 7 ? (some[((i / 1500) % some.length) | 0] ?? put("k0")) : put(`other ${i % 5}`),
      ),
    );
    const batches = fc.array(fc.oneof({ weight: 3, arbitrary: few }, { weight: 1, arbitrary: large }), {
      minLength: 1,
      maxLength: 5,
    });
    fc.assert(
      fc.property(batches, fc.nat(3), (all, asked) => {
        const changes = new KeyChanges();
        const last = new Map<string, object>();
        let sequence = 1;
        for (const [index, operations] of all.entries()) {
          changes.add(decoded(operations, index + 1, sequence));
          for (const operation of operations) {
            for (const key of NAMES)
              if (covers(operation, key))
                last.set(key, { type: operation.type, sequence, index, expiresAt: timeOf(operation) });
            sequence++;
          }
          const names = index === all.length - 1 ? [...NAMES, ...NAMES, ...NAMES] : NAMES.slice(0, asked);
          for (const key of names) expect(changes.of(bytes(key)), key).toEqual(last.get(key));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("knows binary bounds: a start is inside, an end is not", () => {
    const changes = new KeyChanges();
    const [start, end] = [Uint8Array.of(0x7f), Uint8Array.of(0x80, 0)];
    changes.add({ lsn: 1, sequence: 5, payload: { type: "deleteRange", start, end } });
    const found = { type: "deleteRange", sequence: 5, index: 0 };
    for (const key of [[0x7f], [0x7f, 0xff], [0x80]]) expect(changes.of(Uint8Array.from(key))).toEqual(found);
    for (const key of [[], [0x7e, 0xff], [0x80, 0], [0xff]])
      expect(changes.of(Uint8Array.from(key))).toBeUndefined();
  });
});

describe("records that take their time", () => {
  it("come one after the other, and settle when they are done with", async () => {
    const told: string[] = [];
    let go: () => void = () => undefined;
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk, {
      onCommit: async ({ lsn }) => {
        told.push(`begin ${lsn}`);
        if (lsn === 1) await new Promise<void>((resolve) => (go = resolve));
        told.push(`end ${lsn}`);
      },
    });
    const follower = writer.follow();
    const next = follower.next().then(({ value }) => told.push(`followed ${value?.lsn}`));
    const appends = [1, 2].map((n) => writer.append(put(`${n}`)).then(() => told.push(`settled ${n}`)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual(["begin 1"]);
    go();
    await Promise.all([...appends, next]);
    expect(told.slice(0, 4)).toEqual(["begin 1", "end 1", "begin 2", "end 2"]);
    expect(told.slice(4).sort()).toEqual(["followed 1", "settled 1", "settled 2"]);
    await writer.close();
    const replayed: string[] = [];
    await WalWriter.open({}, disk, {
      onRecord: async ({ record }) => {
        replayed.push(`begin ${record.lsn}`);
        await new Promise((resolve) => setImmediate(resolve));
        replayed.push(`end ${record.lsn}`);
      },
    });
    expect(replayed).toEqual(["begin 1", "end 1", "begin 2", "end 2"]);
  });

  it("are final where they fail, as all that fails behind the write", async () => {
    const writer = await WalWriter.open({}, new SimDisk(), {
      onCommit: () => Promise.reject(new Error("injected")),
    });
    await expect(writer.append(put("a"))).rejects.toMatchObject({ code: "KAYA_INTERNAL" });
    expect(writer.failure).toBeDefined();
  });
});
