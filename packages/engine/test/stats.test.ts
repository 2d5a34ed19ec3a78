import { KayaError } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { type Clock, Engine, type EngineStats } from "../src/index.js";
import { InterceptedDisk } from "./support/intercepted-disk.js";

const NO_CHECKPOINTS = { checkpoint: { auto: false } };

function checkMemory({ memoryBytes, liveBytes, deadBytes, snapshots, keyBytes, valueBytes }: EngineStats) {
  expect(deadBytes).toBeGreaterThanOrEqual(0);
  expect(liveBytes).toBeGreaterThanOrEqual(keyBytes + valueBytes);
  expect(liveBytes + deadBytes + snapshots.bytes).toBeLessThanOrEqual(memoryBytes);
}

describe("stats() of memory", () => {
  it("tells live bytes from dead ones, and those of snapshots from both", async () => {
    const engine = await Engine.open(NO_CHECKPOINTS, new SimDisk());
    const put = async (from: number, to: number, value: string) => {
      for (let i = from; i < to; i++) await engine.put(`key ${i}`, value, { durability: "relaxed" });
    };
    await put(0, 4000, "x".repeat(100));
    const filled = engine.stats();
    checkMemory(filled);
    expect(filled.deadBytes).toBeLessThan(1000);

    // A longer value does not fit in the place of the old one.
    await put(0, 500, "y".repeat(200));
    const overwritten = engine.stats();
    checkMemory(overwritten);
    expect(overwritten.deadBytes).toBeGreaterThan(500 * 100);

    const snapshot = engine.snapshot();
    for (let i = 0; i < 300; i++) await engine.delete(`key ${i}`, { durability: "relaxed" });
    const pinned = engine.stats();
    checkMemory(pinned);
    expect(pinned.snapshots).toMatchObject({ open: 1 });
    expect(pinned.snapshots.bytes).toBeGreaterThan(300 * 200);
    expect(pinned.liveBytes).toBeLessThan(overwritten.liveBytes - 300 * 200);
    snapshot.close();
    await put(0, 1000, "z");
    expect(engine.stats().snapshots).toEqual({ open: 0, bytes: 0 });
    checkMemory(engine.stats());
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

  it("call durable what a checkpoint covers, also where a full disk keeps the tail from being finished", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open(NO_CHECKPOINTS, disk);
    await engine.put("a", "1");
    await engine.put("b", "2");
    await engine.checkpoint();
    await engine.put("c", "3");
    disk.killProcess();
    const full = new InterceptedDisk(disk, ({ kind, mutates }) =>
      kind === "open" && mutates ? Promise.reject(new KayaError("KAYA_DISK_FULL", "no space")) : undefined,
    );
    const reopened = await Engine.open(NO_CHECKPOINTS, full);
    expect(reopened.stats()).toMatchObject({ entries: 3, lastLsn: 3, durableLsn: 2 });
    await reopened.close();
  });
});

describe("stats() of checkpoints", () => {
  it("tell the last one, when it was made, and how many there were", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open(NO_CHECKPOINTS, disk);
    await engine.put("a", "1");
    expect(engine.stats().checkpoint).toEqual({ isRunning: false, finished: 0, failed: 0, heldUp: 0 });
    const running = engine.checkpoint();
    expect(engine.stats().checkpoint.isRunning).toBe(true);
    const before = Date.now();
    const { bytes, durationMs } = await running;
    const { finishedAt = 0, ...stats } = engine.stats().checkpoint;
    const last = { lsn: 1, entries: 1, bytes };
    expect(stats).toEqual({ ...last, durationMs, isRunning: false, finished: 1, failed: 0, heldUp: 0 });
    expect(Math.abs(finishedAt - before)).toBeLessThan(60_000);
    await engine.close();
    const reopened = await Engine.open(NO_CHECKPOINTS, disk);
    expect(reopened.stats().checkpoint).toEqual({
      ...last,
      isRunning: false,
      finished: 0,
      failed: 0,
      heldUp: 0,
    });
    await reopened.close();
  });

  it("tell why the last one failed, until one does not", async () => {
    let isFull = true;
    const disk = new InterceptedDisk(new SimDisk(), ({ kind, path }) =>
      isFull && kind === "append" && path.endsWith(".ckpt.tmp")
        ? Promise.reject(new KayaError("KAYA_DISK_FULL", "no space left"))
        : undefined,
    );
    const engine = await Engine.open(NO_CHECKPOINTS, disk);
    await engine.put("a", "1");
    const error = await engine.checkpoint().catch((reason: unknown) => reason);
    expect(KayaError.is(error, "KAYA_DISK_FULL")).toBe(true);
    expect(engine.stats().checkpoint).toEqual({ isRunning: false, finished: 0, failed: 1, heldUp: 0, error });
    isFull = false;
    await engine.checkpoint();
    expect(engine.stats().checkpoint).toMatchObject({ lsn: 1, finished: 1, failed: 1 });
    expect(engine.stats().checkpoint.error).toBeUndefined();
    await engine.close();
  });
});

describe("a checkpoint's pace", () => {
  it("goes by the clock that is given: it rests for as long as it worked while others write", async () => {
    let now = 0;
    const rests: number[] = [];
    const writes: Promise<unknown>[] = [];
    const clock: Clock = {
      now: () => (now += 3),
      sleep: async (ms) => {
        rests.push(ms);
        if (writes.length < 4) writes.push(engine.put("while it is written", "1"));
      },
    };
    const engine = await Engine.open(NO_CHECKPOINTS, new SimDisk(), { clock });
    for (let i = 0; i < 2000; i++) await engine.put(`key ${i}`, "x".repeat(1000), { durability: "relaxed" });
    const checkpoint = engine.checkpoint();
    writes.push(engine.put("beside it", "1"));
    await checkpoint;
    expect(rests).toEqual(Array(writes.length).fill(3));
    expect(rests.length).toBeGreaterThan(2);
    await Promise.all(writes);
    await engine.close();
  });

  it("needs a clock that is one", async () => {
    for (const clock of [5, {}, { now: () => 1 }, null]) {
      const opening = Engine.open({}, new SimDisk(), { clock: clock as unknown as Clock });
      await expect(opening).rejects.toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
    }
  });
});
