import { SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { Engine, type PartialEngineConfig, recover } from "../src/index.js";
import { changesToEnd, lsnOf, settle } from "./support/feeds.js";
import { holdUp } from "./support/intercepted-disk.js";
import { rejection } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const WAL = { segmentMaxBytes: 700, maxRecordBytes: 400, maxBatchBytes: 300 };
const CONFIG: PartialEngineConfig = { wal: WAL, tables: { autoFlush: false } };
const bounded = (maxKeptLogBytes: number): PartialEngineConfig => ({
  ...CONFIG,
  changes: { maxKeptLogBytes },
});

const open = (disk: SimDisk, config: PartialEngineConfig = CONFIG) => Engine.open(config, disk);

async function fill(engine: Engine, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await engine.put(`key ${i % 7}`, `${i}`.repeat(9));
}

const recoverIt = (disk: SimDisk) => recover(CONFIG, disk);
const dryRun = (disk: SimDisk) => recover(CONFIG, disk, { dryRun: true });

const idsOf = async (disk: SimDisk) =>
  (await disk.list("wal")).flatMap(({ path }) =>
    path.endsWith(".wal") ? [Number.parseInt(path.slice(4, 20), 16)] : [],
  );

describe("a consumer", () => {
  it("F8: begins where it was added, and goes on where it acknowledged, also in a later engine", async () => {
    const disk = new SimDisk();
    let engine = await open(disk);
    await fill(engine, 5);
    const added = await engine.addConsumer("index");
    expect(added).toMatchObject({
      name: "index",
      lsn: 5,
      isNew: true,
      isTruncated: false,
      token: await engine.changesToken(),
    });
    await fill(engine, 5);
    const feed = engine.changes({ consumer: "index" });
    const first = (await feed.next()).value;
    const second = (await feed.next()).value;
    expect([first?.lsn, second?.lsn]).toEqual([6, 7]);
    await feed.acknowledge(first?.token ?? "");
    await engine.close();
    engine = await open(disk);
    expect(await engine.addConsumer("index")).toMatchObject({ lsn: 6, isNew: false });
    expect((await engine.changes({ consumer: "index" }).next()).value?.lsn).toBe(7);
    await engine.close();
  });

  it("F8: an acknowledgement is durable when it resolves, never goes back, and many share one writing", async () => {
    const disk = new SimDisk();
    let engine = await open(disk);
    await engine.addConsumer("index");
    await fill(engine, 20);
    const all = await changesToEnd(engine, engine.changes(), 0);
    const feed = engine.changes({ consumer: "index" });
    const before = disk.events.filter(({ kind }) => kind === "rename").length;
    await Promise.all(all.map(({ token }) => feed.acknowledge(token)));
    expect(disk.events.filter(({ kind }) => kind === "rename").length).toBe(before + 1);
    for (const { token } of all) await feed.acknowledge(token);
    expect(disk.events.filter(({ kind }) => kind === "rename").length).toBe(before + 1);
    disk.crash();
    engine = await open(disk);
    expect(engine.consumers()).toMatchObject([{ name: "index", lsn: 20 }]);
    await engine.close();
  });

  it("F9: keeps the log behind what it acknowledged over flushes, reopening and other consumers", async () => {
    const disk = new SimDisk();
    let engine = await open(disk);
    await fill(engine, 10);
    await engine.addConsumer("a");
    await fill(engine, 20);
    await engine.addConsumer("b");
    await fill(engine, 20);
    await engine.flush();
    await fill(engine, 10);
    await engine.close();
    engine = await open(disk);
    await engine.flush();
    expect(engine.stats().changes).toMatchObject({ consumers: 2, keptLogBytes: expect.any(Number) });
    expect(engine.stats().changes.keptLogBytes).toBe(engine.stats().wal.bytes);
    expect((await changesToEnd(engine, engine.changes({ consumer: "a" }), 10)).length).toBe(50);
    expect((await changesToEnd(engine, engine.changes({ consumer: "b" }), 30)).length).toBe(30);
    // What "a" is done with goes at once, no further than "b" needs it.
    const feed = engine.changes({ consumer: "a" });
    await feed.acknowledge(await engine.changesToken());
    const [lowest] = await idsOf(disk);
    expect(lowest).toBeGreaterThan(2);
    expect((await changesToEnd(engine, engine.changes({ consumer: "b" }), 30)).length).toBe(30);
    expect(await engine.removeConsumer("b")).toBe(true);
    expect(await engine.removeConsumer("b")).toBe(false);
    expect((await idsOf(disk)).length).toBe(1);
    expect(engine.stats().changes).toEqual({ feeds: 0, consumers: 1, keptLogBytes: 0 });
    await engine.close();
  });

  it("F9: loses the log beyond the bound, is told so, and begins anew by being added again", async () => {
    const disk = new SimDisk();
    const engine = await open(disk, bounded(1500));
    await engine.addConsumer("slow");
    await fill(engine, 60);
    await engine.flush();
    expect(engine.stats().changes.keptLogBytes).toBeLessThanOrEqual(1500);
    expect(engine.stats().changes.keptLogBytes).toBeGreaterThan(700);
    expect(engine.consumers()).toMatchObject([{ name: "slow", lsn: 0, isTruncated: true }]);
    expect(() => engine.changes({ consumer: "slow" })).toThrow(
      expect.objectContaining({ code: "KAYA_LOG_TRUNCATED" }),
    );
    // It has lost its place: nothing is kept for it any more.
    await engine.put("a", "1");
    await engine.flush();
    expect(engine.stats().changes.keptLogBytes).toBe(0);
    expect(await engine.addConsumer("slow")).toMatchObject({ lsn: 61, isNew: true, isTruncated: false });
    await engine.put("b", "1");
    expect((await changesToEnd(engine, engine.changes({ consumer: "slow" }), 61)).length).toBe(1);
    await engine.close();
  });

  it("F9: a bound of nothing keeps nothing", async () => {
    const engine = await open(new SimDisk(), bounded(0));
    await engine.addConsumer("slow");
    await fill(engine, 30);
    await engine.flush();
    expect(engine.stats().wal).toMatchObject({ segments: 1, bytes: 0 });
    await engine.close();
  });

  it("F9: what is kept does not make flushes come sooner", async () => {
    const disk = new SimDisk();
    const config = { wal: WAL, memory: { memtableBytes: 3000 } };
    const engine = await open(disk, config);
    await engine.addConsumer("slow");
    let made = 0;
    let last = engine.stats().flush.finished;
    for (let i = 0; i < 500; i++) {
      await engine.put("key", `${i}`.repeat(9));
      await settle();
      if (engine.stats().flush.finished === last) continue;
      last = engine.stats().flush.finished;
      made++;
    }
    const bytes = engine.stats().wal.bytes;
    expect(engine.stats().changes.keptLogBytes).toBeGreaterThan(20_000);
    expect(made).toBeGreaterThan(5);
    expect(made).toBeLessThanOrEqual(Math.ceil(bytes / 3000));
    await engine.close();
    const again = await open(disk, config);
    expect(again.stats().changes.keptLogBytes).toBeGreaterThan(20_000);
    expect((await changesToEnd(again, again.changes({ consumer: "slow" }), 0)).length).toBe(500);
    await again.close();
  });

  it("is added at a token, again and again, and not at one that the log has dropped", async () => {
    const engine = await open(new SimDisk());
    await fill(engine, 30);
    const all = await changesToEnd(engine, engine.changes(), 0);
    const since = all[9]?.token ?? "";
    expect(await engine.addConsumer("x", { since })).toMatchObject({ lsn: 10, isNew: true });
    expect(await engine.addConsumer("x", { since: all[19]?.token ?? "" })).toMatchObject({
      lsn: 20,
      isNew: true,
    });
    expect(await engine.addConsumer("x", { since })).toMatchObject({ lsn: 10, isNew: true });
    await engine.removeConsumer("x");
    await engine.flush();
    await rejection("KAYA_LOG_TRUNCATED", engine.addConsumer("x", { since }));
    await rejection("KAYA_INVALID_ARGUMENT", engine.addConsumer("x", { since: "no token" }));
    expect(await engine.addConsumer("x")).toMatchObject({ lsn: 30, isNew: true });
    await engine.close();
  });

  it("is registered once its copy of the data is made, which is made again where it failed", async () => {
    const engine = await open(new SimDisk());
    await fill(engine, 5);
    let copies = 0;
    const copy = async () => {
      copies++;
      expect(engine.consumers()).toEqual([]);
      if (copies === 1) throw new Error("the search engine is away");
    };
    await expect(engine.addConsumer("x", { copy })).rejects.toThrow("the search engine is away");
    expect(engine.consumers()).toEqual([]);
    expect(await engine.addConsumer("x", { copy })).toMatchObject({ lsn: 5, isNew: true });
    await fill(engine, 1);
    expect(await engine.addConsumer("x", { copy })).toMatchObject({ lsn: 5, isNew: false });
    expect(copies).toBe(2);
    const since = await engine.changesToken();
    await rejection("KAYA_INVALID_ARGUMENT", engine.addConsumer("x", { copy, since }));
    await rejection("KAYA_INVALID_ARGUMENT", engine.addConsumer("y", { copy: true as never }));
    expect(engine.consumers()).toMatchObject([{ name: "x", lsn: 5 }]);
    await engine.close();
  });

  it("gets what is written while it copies, however much is flushed meanwhile", async () => {
    const engine = await open(new SimDisk());
    await fill(engine, 10);
    const copy = async () => {
      await fill(engine, 30);
      await engine.flush();
    };
    expect(await engine.addConsumer("x", { copy })).toMatchObject({ lsn: 10, isTruncated: false });
    expect((await changesToEnd(engine, engine.changes({ consumer: "x" }), 10)).length).toBe(30);
    await engine.removeConsumer("x");
    await expect(engine.addConsumer("x", { copy: () => Promise.reject(new Error("no")) })).rejects.toThrow(
      "no",
    );
    await fill(engine, 30);
    await engine.flush();
    expect(engine.stats().changes.keptLogBytes).toBe(0);
    await engine.close();
  });

  it("that has lost its place copies the data again", async () => {
    const engine = await open(new SimDisk(), bounded(1500));
    await engine.addConsumer("slow");
    await fill(engine, 60);
    await engine.flush();
    let copies = 0;
    const copy = () => void copies++;
    expect(await engine.addConsumer("slow", { copy })).toMatchObject({ lsn: 60, isNew: true });
    expect(copies).toBe(1);
    await engine.close();
  });

  it("that is on its way to the disk is kept for already", async () => {
    const inner = new SimDisk();
    const held = holdUp(inner, ({ kind, path }) => kind === "rename" && path.startsWith("consumers"));
    const engine = await Engine.open(CONFIG, held.disk);
    await fill(engine, 10);
    const token = await engine.changesToken();
    await fill(engine, 20);
    const adding = engine.addConsumer("x", { since: token });
    await held.held;
    await engine.flush();
    held.release();
    expect(await adding).toMatchObject({ lsn: 10, isNew: true });
    expect((await changesToEnd(engine, engine.changes({ consumer: "x" }), 10)).length).toBe(20);
    await engine.close();
  });

  it("whose acknowledgement fails keeps the place that it had, and what is behind that", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await engine.addConsumer("x");
    await fill(engine, 30);
    const feed = engine.changes({ consumer: "x" });
    const token = await engine.changesToken();
    for (const [after, kind] of [
      [1, "disk-full"], // behind the removal of a leftover
      [2, "partial-write"],
      [3, "fsync-failed"],
      [5, "fsync-failed"],
    ] as const) {
      disk.addFault({ at: disk.nextOperation + after, kind, bytes: 5 } as Parameters<SimDisk["addFault"]>[0]);
      const error = await feed.acknowledge(token).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: after === 5 ? "KAYA_FSYNC_FAILED" : after === 3 ? "KAYA_IO" : "KAYA_DISK_FULL",
      });
      expect(engine.consumers()).toMatchObject([{ lsn: 0 }]);
    }
    await engine.flush();
    expect((await changesToEnd(engine, engine.changes({ consumer: "x" }), 0)).length).toBe(30);
    await feed.acknowledge(token);
    expect(engine.consumers()).toMatchObject([{ lsn: 30 }]);
    expect(engine.state).toBe("open");
    await engine.close();
  });

  it("that a killed process left in the page cache is durable once the engine is open", async () => {
    const disk = new SimDisk();
    let isRenamed = false;
    const held = holdUp(disk, ({ kind, path }) => {
      if (kind === "rename" && path.startsWith("consumers")) isRenamed = true;
      return isRenamed && kind === "syncDir";
    });
    const engine = await Engine.open(CONFIG, held.disk);
    void engine.addConsumer("x").catch(() => undefined);
    await held.held;
    disk.killProcess();
    expect((await open(disk)).consumers()).toMatchObject([{ name: "x" }]);
    disk.crash();
    expect((await open(disk)).consumers()).toMatchObject([{ name: "x" }]);
  });

  it("whose removal failed is registered durably again before it is told that it is there", async () => {
    for (const [only, kind, code] of [
      ["rename", "io-error", "KAYA_IO"],
      ["syncDir", "fsync-failed", "KAYA_FSYNC_FAILED"],
    ] as const) {
      const disk = new SimDisk();
      const engine = await open(disk);
      await engine.addConsumer("x");
      await fill(engine, 5);
      disk.scheduleFaults({ kind, only, outcome: "kept", after: 0 });
      await rejection(code, engine.removeConsumer("x"));
      expect(await engine.addConsumer("x")).toMatchObject({ isNew: false, lsn: 0 });
      disk.crash({ survive: "everything" });
      expect((await open(disk)).consumers()).toMatchObject([{ name: "x", lsn: 0 }]);
    }
  });

  it("whose registration failed is not there any more once its removal was answered", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await engine.changesToken();
    disk.scheduleFaults(
      { kind: "io-error", only: "rename", outcome: "kept", after: 0 },
      { kind: "disk-full", after: 0 },
    );
    await rejection("KAYA_IO", engine.addConsumer("x"));
    // The second fault strikes the removal: it is not answered as if it were done.
    await rejection("KAYA_DISK_FULL", engine.removeConsumer("x"));
    expect(await engine.removeConsumer("x")).toBe(false);
    disk.crash({ survive: "everything" });
    expect((await open(disk)).consumers()).toEqual([]);
  });

  it("that a killed process had removed, in the page cache, does not come back in a power cut", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await engine.addConsumer("x");
    disk.scheduleFaults({ kind: "fsync-failed", only: "syncDir", after: 0 });
    await rejection("KAYA_FSYNC_FAILED", engine.removeConsumer("x"));
    disk.killProcess();
    expect((await open(disk)).consumers()).toEqual([]);
    disk.crash();
    expect((await open(disk)).consumers()).toEqual([]);
  });

  it("that was removed is told so by its feed", async () => {
    const engine = await open(new SimDisk());
    await engine.addConsumer("x");
    const feed = engine.changes({ consumer: "x" });
    await engine.put("a", "1");
    const { value } = await feed.next();
    await engine.removeConsumer("x");
    await rejection("KAYA_NOT_FOUND", feed.acknowledge(value?.token ?? ""));
    await rejection("KAYA_INVALID_ARGUMENT", feed.acknowledge("x"));
    await engine.close();
  });

  it("has a name that can be written down", async () => {
    const engine = await open(new SimDisk());
    for (const name of ["", "a\nb", "a\u0000", "x".repeat(129), "\ud800", "a\u2028b", 5 as unknown as string])
      await rejection("KAYA_INVALID_ARGUMENT", engine.addConsumer(name));
    const names = ["search index", "ä/1", "x".repeat(128), " ", "🦦"];
    for (const name of names) await engine.addConsumer(name);
    expect(engine.consumers().map(({ name }) => name)).toEqual([...names].sort());
    await engine.close();
  });

  it("among many is one of a thousand at most, and all are there when it is opened again", async () => {
    const disk = new SimDisk();
    let engine = await open(disk);
    await Promise.all(Array.from({ length: 1000 }, (_, i) => engine.addConsumer(`consumer ${i}`)));
    await rejection("KAYA_INVALID_ARGUMENT", engine.addConsumer("one more"));
    await engine.close();
    engine = await open(disk);
    expect(engine.consumers().length).toBe(1000);
    await engine.close();
  });

  it("is added, acknowledged and written before close lets go, or not at all", async () => {
    const disk = new SimDisk({ unhurried: true });
    const engine = await open(disk);
    await engine.put("a", "1");
    await engine.addConsumer("x");
    const token = await engine.changesToken();
    const feed = engine.changes({ consumer: "x" });
    await engine.put("b", "1");
    const pending = Promise.allSettled([
      feed.acknowledge(token),
      engine.addConsumer("y"),
      engine.removeConsumer("x"),
    ]);
    await engine.close();
    const operations = disk.nextOperation;
    await pending;
    expect(disk.nextOperation).toBe(operations);
  });
});

describe("F10: a file of consumers that is damaged", () => {
  it("is refused, with what to do, and nothing is changed; without it nothing is kept", async () => {
    const disk = new SimDisk();
    let engine = await open(disk);
    await engine.addConsumer("x");
    await fill(engine, 30);
    await engine.flush();
    expect(lsnOf(engine.consumers()[0]?.token ?? "")).toBe(0);
    await engine.close();
    const whole = disk.readFile("consumers") ?? new Uint8Array();
    for (let bit = 0; bit < whole.length * 8; bit += 3) {
      disk.flipBit("consumers", bit >> 3, bit & 7);
      const before = disk.nextOperation;
      for (const look of [open, recoverIt, dryRun]) {
        const { message } = await rejection("KAYA_CORRUPTION", look(disk));
        expect(message).toMatch(/^consumers .* remove it to go on/);
      }
      expect(disk.events.filter(({ index, path }) => (index ?? 0) >= before && path !== "LOCK")).toEqual([]);
      disk.writeFile("consumers", whole);
    }
    disk.removeDurably("consumers");
    engine = await open(disk);
    expect(engine.consumers()).toEqual([]);
    expect((await idsOf(disk)).length).toBe(1);
    await engine.close();
  });
});
