import { SimDisk } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { type BatchOperation, Engine, KayaError } from "../src/index.js";
import { MemoryBound } from "../src/memory-bound.js";
import { Memtable } from "../src/memtable/memtable.js";
import { bytes, keysOf, rejection } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const MIB = 1024 * 1024;
const KIB_VALUE = "x".repeat(1024);

const open = (memoryLimitBytes: number, disk = new SimDisk()) =>
  Engine.open({ memoryLimitBytes, durability: "relaxed" }, disk);

/** Puts until one is refused. */
async function fill(engine: Engine, prefix: string): Promise<number> {
  for (let i = 0; ; i++) {
    try {
      await engine.put(`${prefix}${i}`, KIB_VALUE);
    } catch (error) {
      if (KayaError.is(error, "KAYA_MEMORY_LIMIT")) return i;
      throw error;
    }
  }
}

describe("memoryLimitBytes", () => {
  it("refuses the write that would go past it before it is logged; deletes go on and make room", async () => {
    const disk = new SimDisk();
    const engine = await open(MIB, disk);
    const count = await fill(engine, "a");
    expect(count).toBeGreaterThan(700);
    expect(count).toBeLessThan(1024);
    const { lastLsn } = engine.stats();
    const operations = disk.nextOperation;
    const error = await rejection("KAYA_MEMORY_LIMIT", engine.put("one more", KIB_VALUE));
    expect(error.message).toContain("of memoryLimitBytes (1048576)");
    const batch: BatchOperation[] = [{ type: "put", key: "b", value: KIB_VALUE }];
    await rejection("KAYA_MEMORY_LIMIT", engine.batch(batch));
    expect(disk.nextOperation).toBe(operations);
    expect(engine.stats().lastLsn).toBe(lastLsn);
    expect(await engine.get("a0")).toHaveLength(1024);

    await engine.batch([{ type: "delete", key: "a0" }, ...batch]);
    await engine.delete("a1");
    await engine.put("c", KIB_VALUE);
    await rejection("KAYA_MEMORY_LIMIT", engine.put("d", KIB_VALUE));
    expect((await keysOf(engine.scan())).length).toBe(count);
    await engine.close();
  });

  it("lets a value be replaced by one that is no larger, and a range be cleared", async () => {
    const engine = await open(MIB);
    const count = await fill(engine, "a");
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < count; i++) await engine.put(`a${i}`, KIB_VALUE);
    }
    await rejection("KAYA_MEMORY_LIMIT", engine.put("a0", "x".repeat(4096)));
    await engine.clear();
    expect(await fill(engine, "b")).toBeGreaterThan(0.9 * count);
    await engine.close();
  });

  it("counts what is on its way to the log", async () => {
    const engine = await open(MIB);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 2000 }, (_, i) => engine.put(`${i}`, KIB_VALUE)),
    );
    const written = outcomes.filter(({ status }) => status === "fulfilled").length;
    expect(written).toBeGreaterThan(700);
    expect(written).toBeLessThan(1024);
    await engine.close();
  });

  it("counts what a snapshot keeps, until it is closed", async () => {
    const engine = await open(MIB);
    const count = await fill(engine, "a");
    const snapshot = engine.snapshot();
    await rejection("KAYA_MEMORY_LIMIT", engine.put("a0", KIB_VALUE));
    for (let i = 0; i < 10; i++) await engine.delete(`a${i}`);
    await rejection("KAYA_MEMORY_LIMIT", engine.put("b", KIB_VALUE));
    expect(snapshot.getSync("a0")).toHaveLength(1024);
    snapshot.close();
    await engine.put("b", KIB_VALUE);
    expect(engine.stats().entries).toBe(count - 9);
    await engine.close();
  });

  it("does not keep data that is past it from being opened, read and deleted", async () => {
    const disk = new SimDisk();
    const large = await open(4 * MIB, disk);
    const count = await fill(large, "a");
    await large.close();
    const engine = await open(MIB, disk);
    expect(engine.stats().entries).toBe(count);
    await rejection("KAYA_MEMORY_LIMIT", engine.put("a", "x"));
    expect(await engine.get("a7")).toHaveLength(1024);
    await engine.clear({ gt: "a1" });
    await engine.put("a", "x");
    await engine.close();
  });

  it("is checked with the rest of the configuration", async () => {
    for (const limit of [-1, 1.5, Number.POSITIVE_INFINITY, "1"]) {
      await rejection("KAYA_INVALID_ARGUMENT", open(limit as number));
    }
  });
});

describe("chunks of memory", () => {
  const large = new Uint8Array(70_000);
  const put = (key: string, value: Uint8Array) => ({ type: "put", key: bytes(key), value }) as const;

  it("are counted before a write is logged, each entry over 64 KiB as one of its own", () => {
    const memtable = new Memtable({ maxChunks: 40 });
    const bound = new MemoryBound(24 * 1024 * MIB, memtable);
    let count = 0;
    const error = (() => {
      for (;;) {
        try {
          bound.check(put(`${count}`, large), 0);
        } catch (refusal) {
          return refusal;
        }
        memtable.put(bytes(`${count}`), large, ++count);
      }
    })();
    expect(error).toMatchObject({
      code: "KAYA_MEMORY_LIMIT",
      message: expect.stringContaining("Nothing was logged"),
    });
    expect(count).toBeGreaterThan(20);
    // What makes no more of it goes on: another value for a key, and a delete, which makes room.
    const sameKey = put("1", large);
    bound.check(sameKey, 0);
    memtable.put(sameKey.key, sameKey.value, count + 1);
    bound.check({ type: "delete", key: bytes("0") }, 0);
    memtable.delete(bytes("0"), count + 2);
    bound.check(put("one more", large), 0);
    // What is on its way counts.
    expect(() => bound.check(put("one more", large), 70_000)).toThrow("more chunks");
    expect(() => bound.check({ type: "batch", operations: [put("a", large), put("b", large)] }, 0)).toThrow(
      "more chunks",
    );
  });

  it("never run out while what is checked is applied, whatever is written under snapshots", async () => {
    const value = fc.oneof(fc.nat({ max: 200 }), fc.integer({ min: 40_000, max: 90_000 }));
    const change = fc.record({
      key: fc.nat({ max: 60 }),
      value,
      remove: fc.boolean(),
      snapshot: fc.nat({ max: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 100, maxLength: 400 }), async (changes) => {
        const memtable = new Memtable({ maxChunks: 30, hashSecret: { low: 1, high: 2 } });
        const bound = new MemoryBound(24 * 1024 * MIB, memtable);
        const held: { release(): void }[] = [];
        for (const [i, { key, value: length, remove, snapshot }] of changes.entries()) {
          if (snapshot === 0) held.push(memtable.snapshot());
          if (snapshot === 1) held.shift()?.release();
          if (snapshot === 2) await new Promise((resolve) => setImmediate(resolve));
          const operation = remove
            ? ({ type: "delete", key: bytes(`${key}`) } as const)
            : put(`${key}`, new Uint8Array(length));
          try {
            bound.check(operation, 0);
          } catch (error) {
            expect(error).toMatchObject({ code: "KAYA_MEMORY_LIMIT" });
            continue;
          }
          if (operation.type === "put") memtable.put(operation.key, operation.value, i + 1);
          else memtable.delete(operation.key, i + 1);
        }
        memtable.audit();
        for (const view of held) view.release();
      }),
      { numRuns: 40 },
    );
  });
});

describe("what the memtable says that a change adds", () => {
  it("is about what it then adds", () => {
    const memtable = new Memtable();
    const key = (i: number) => bytes(`key ${String(i * 7919).padStart(9, "0")}`);
    let expected = 0;
    let sequence = 0;
    const put = (i: number, length: number) => {
      expected += memtable.growthBy(key(i), length);
      memtable.put(key(i), new Uint8Array(length), ++sequence);
    };
    const empty = memtable.usedBytes;
    for (let i = 0; i < 50_000; i++) put(i, i % 200);
    for (let i = 0; i < 50_000; i += 3) put(i, 100);
    for (let i = 0; i < 50_000; i += 2) {
      expected += memtable.growthBy(key(i));
      memtable.delete(key(i), ++sequence);
    }
    const grown = memtable.usedBytes - empty;
    expect(expected / grown).toBeGreaterThan(0.85);
    expect(expected / grown).toBeLessThan(1.15);
  });
});
