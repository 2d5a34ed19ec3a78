import { KayaError } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { Engine } from "../src/index.js";
import { holdUp, InterceptedDisk } from "./support/intercepted-disk.js";

const NO_FLUSHES = { tables: { autoFlush: false } };

describe("stats() of the memtables", () => {
  it("have what is in no table yet, and what snapshots hold of it", async () => {
    const engine = await Engine.open(NO_FLUSHES, new SimDisk());
    const put = async (from: number, to: number, value: string) => {
      for (let i = from; i < to; i++) await engine.put(`key ${i}`, value, { durability: "relaxed" });
    };
    await put(0, 4000, "x".repeat(100));
    const filled = engine.stats().memtable;
    expect(filled).toMatchObject({ entries: 4000, tombstones: 0, rangeTombstones: 0, sealedBytes: 0 });
    expect(filled.bytes).toBeGreaterThan(4000 * 100);
    expect(filled.allocatedBytes).toBeGreaterThanOrEqual(filled.bytes);

    const snapshot = engine.snapshot();
    for (let i = 0; i < 300; i++) await engine.delete(`key ${i}`, { durability: "relaxed" });
    await engine.clear({ gte: "key 39", lt: "key 40" });
    const pinned = engine.stats().memtable;
    expect(pinned).toMatchObject({ entries: 3700, tombstones: 300, rangeTombstones: 1 });
    expect(pinned.snapshots.open).toBe(1);
    expect(pinned.snapshots.bytes).toBeGreaterThan(300 * 100);
    snapshot.close();
    await put(0, 1, "z");
    expect(engine.stats().memtable.snapshots).toEqual({ open: 0, bytes: 0 });
    await engine.flush();
    expect(engine.stats().memtable).toMatchObject({
      entries: 0,
      tombstones: 0,
      rangeTombstones: 0,
      sealedBytes: 0,
    });
    await engine.close();
  });

  it("tell what of it is being flushed", async () => {
    const gate = holdUp(new SimDisk(), ({ kind, path }) => kind === "append" && path.startsWith("sst/"));
    const engine = await Engine.open(NO_FLUSHES, gate.disk);
    await engine.put("a", "x".repeat(10_000));
    const { bytes } = engine.stats().memtable;
    const running = engine.flush();
    await gate.held;
    await engine.put("b", "x".repeat(5000));
    const { memtable } = engine.stats();
    expect(memtable).toMatchObject({ entries: 2, sealedBytes: bytes });
    expect(memtable.bytes).toBeGreaterThan(bytes + 5000);
    gate.release();
    await running;
    expect(engine.stats().memtable).toMatchObject({ entries: 1, sealedBytes: 0 });
    await engine.close();
  });
});

describe("stats().entries", () => {
  it("is an estimate where a key is in several places, and exact once it was compacted; count() always is", async () => {
    const engine = await Engine.open({ tables: { autoFlush: false, autoCompact: false } }, new SimDisk());
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 20; i++) await engine.put(`key ${i}`, `${round}`);
      await engine.flush();
    }
    expect(engine.stats().entries).toBe(60);
    expect(await engine.count()).toBe(20);
    await engine.compact();
    expect(engine.stats().entries).toBe(20);
    await engine.close();
  });
});

describe("stats() of the log", () => {
  it("count from the opening on", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    await Promise.all([engine.put("a", "1"), engine.put("b", "2"), engine.delete("a")]);
    await engine.put("c", "3", { durability: "relaxed" });
    expect(engine.stats().wal).toMatchObject({
      segments: 1,
      appends: { strict: 3, relaxed: 1, rejected: 0 },
      commits: { count: 2, records: { mean: 2, p50: 1, max: 3 } },
      fsyncs: { count: 1 },
    });
    await engine.close();
    const reopened = await Engine.open({}, disk);
    expect(reopened.stats().wal).toMatchObject({
      segments: 1,
      appends: { strict: 0, relaxed: 0 },
      commits: { count: 0 },
      fsyncs: { count: 0 },
    });
    await reopened.close();
  });

  it("call durable what the tables cover, also where a full disk keeps the tail from being finished", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open(NO_FLUSHES, disk);
    await engine.put("a", "1");
    await engine.put("b", "2");
    await engine.flush();
    await engine.put("c", "3");
    disk.killProcess();
    const full = new InterceptedDisk(disk, ({ kind, path, mutates }) =>
      kind === "open" && mutates && path.startsWith("wal/")
        ? Promise.reject(new KayaError("KAYA_DISK_FULL", "no space"))
        : undefined,
    );
    const reopened = await Engine.open(NO_FLUSHES, full);
    expect(reopened.stats()).toMatchObject({ entries: 3, lastLsn: 3, durableLsn: 2 });
    await reopened.close();
  });
});

describe("stats() of flushes", () => {
  it("tell the last one, when it was made, and how many there were", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open(NO_FLUSHES, disk);
    await engine.put("a", "1");
    expect(engine.stats().flush).toEqual({ isRunning: false, finished: 0, failed: 0, heldUp: 0 });
    const running = engine.flush();
    expect(engine.stats().flush.isRunning).toBe(true);
    const before = Date.now();
    const result = await running;
    expect(result).toMatchObject({ lsn: 1, sequence: 1, entries: 1, segmentsDropped: 1 });
    const { last, ...stats } = engine.stats().flush;
    expect(stats).toEqual({ isRunning: false, finished: 1, failed: 0, heldUp: 0 });
    expect(last).toEqual({ ...result, finishedAt: expect.any(Number) });
    expect(Math.abs((last?.finishedAt ?? 0) - before)).toBeLessThan(60_000);
    await engine.close();
    const reopened = await Engine.open(NO_FLUSHES, disk);
    expect(reopened.stats().flush).toEqual({ isRunning: false, finished: 0, failed: 0, heldUp: 0 });
    expect(reopened.stats().tables).toMatchObject({ tables: 1, bytes: result.bytes });
    await reopened.close();
  });

  it("tell why the last one failed, until one does not", async () => {
    let isFull = true;
    const disk = new InterceptedDisk(new SimDisk(), ({ kind, path }) =>
      isFull && kind === "append" && path.startsWith("sst/")
        ? Promise.reject(new KayaError("KAYA_DISK_FULL", "no space left"))
        : undefined,
    );
    const engine = await Engine.open(NO_FLUSHES, disk);
    await engine.put("a", "1");
    const error = await engine.flush().catch((reason: unknown) => reason);
    expect(KayaError.is(error, "KAYA_DISK_FULL")).toBe(true);
    expect(engine.stats().flush).toEqual({ isRunning: false, finished: 0, failed: 1, heldUp: 0, error });
    isFull = false;
    await engine.flush();
    expect(engine.stats().flush).toMatchObject({ last: { lsn: 1 }, finished: 1, failed: 1 });
    expect(engine.stats().flush.error).toBeUndefined();
    await engine.close();
  });
});
