import { setImmediate as nextTurn } from "node:timers/promises";
import { type Disk, SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { Engine, KayaError, type PartialEngineConfig, recover } from "../src/index.js";
import { holdUp, InterceptedDisk, type Operation } from "./support/intercepted-disk.js";
import { entriesOf, keysOf, latin1, rejection } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const CONFIG: PartialEngineConfig = {
  wal: { segmentMaxBytes: 700, maxRecordBytes: 400, maxBatchBytes: 300 },
  tables: { autoFlush: false, autoCompact: false },
};

const open = (disk: Disk, config: PartialEngineConfig = CONFIG) => Engine.open(config, disk);

/** So many turns of the event loop later. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn();
}

async function pathsIn(disk: SimDisk, dir: string): Promise<string[]> {
  return (await disk.list(dir)).map(({ path }) => path.slice(dir.length + 1));
}

const textOf = (value: Uint8Array | undefined) => value && latin1(value);

async function fill(engine: Engine, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await engine.put(`key ${i % 7}`, `${i}`.repeat(9));
}

/** Fails the operations that `fails` says, each time it says so. */
const failing = (disk: Disk, fails: (operation: Operation) => boolean, code = "KAYA_IO" as const) =>
  new InterceptedDisk(disk, (operation) =>
    fails(operation)
      ? Promise.reject(new KayaError(code, `injected: ${operation.kind} ${operation.path}`))
      : undefined,
  );

const writesTable = ({ kind, path }: Operation) => kind === "append" && path.startsWith("sst/");

describe("a flush", () => {
  it("takes the log's place: what is opened next has the state, and goes on behind it", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await fill(engine, 0, 30);
    await engine.delete("key 3");
    const before = await entriesOf(engine.scan());
    const sizeBefore = engine.stats().wal;
    const result = await engine.flush();
    expect(result).toEqual({
      ...{ lsn: 31, sequence: 31, entries: 7, segmentsDropped: sizeBefore.segments },
      bytes: expect.any(Number),
      durationMs: expect.any(Number),
    });
    expect(engine.stats().wal).toMatchObject({ segments: 1, bytes: 0 });
    expect(engine.stats().flush).toEqual({
      last: { ...result, finishedAt: expect.any(Number) },
      ...{ isRunning: false, finished: 1, failed: 0, heldUp: 0 },
    });
    expect(await engine.put("after", "1")).toMatchObject({ lsn: 32, sequence: 32 });
    await engine.close();

    const reopened = await open(disk);
    expect(reopened.lastRecovery).toMatchObject({
      recordCount: 1,
      tables: { covered: { lsn: 31, sequence: 31 }, tables: 1, warnings: [] },
    });
    expect(await entriesOf(reopened.scan())).toEqual([["after", "1"], ...before]);
    expect(await reopened.put("again", "1")).toMatchObject({ lsn: 33, sequence: 33 });
    await reopened.close();
  });

  it("of an empty store writes no table, and neither does one that has nothing new", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    expect(await engine.flush()).toMatchObject({ lsn: 0, entries: 0, bytes: 0 });
    expect(await pathsIn(disk, "sst")).toEqual([]);
    await engine.put("a", "1");
    await engine.flush();
    const before = disk.events.filter(({ kind }) => kind === "rename").length;
    expect(await engine.flush()).toMatchObject({ lsn: 1, entries: 0, bytes: 0, segmentsDropped: 0 });
    expect(disk.events.filter(({ kind }) => kind === "rename").length).toBe(before);
    expect(await pathsIn(disk, "sst")).toEqual(["0000000000000001.sst"]);
    await engine.close();
  });

  it("covers records that change nothing, so that the log gets short", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await engine.clear({ gte: "b", lt: "a" });
    const result = await engine.flush();
    expect(result).toMatchObject({ lsn: 1, entries: 0, segmentsDropped: 1 });
    await engine.close();
    const reopened = await open(disk);
    expect(reopened.lastRecovery).toMatchObject({ recordCount: 0, tables: { covered: { lsn: 1 } } });
    expect(await reopened.put("a", "1")).toMatchObject({ lsn: 2 });
    await reopened.close();
  });

  it("lets writes and reads go on, and has none of what came after it began", async () => {
    const disk = new SimDisk();
    const gate = holdUp(disk, writesTable);
    const engine = await Engine.open(CONFIG, gate.disk);
    await fill(engine, 0, 10);
    const running = engine.flush();
    await gate.held;
    expect(engine.stats().flush.isRunning).toBe(true);
    await engine.put("key 1", "newer");
    await engine.put("new", "1");
    await engine.delete("key 2");
    const expected = ["key 0", "key 1", "key 3", "key 4", "key 5", "key 6", "new"];
    const snapshot = engine.snapshot();
    expect(textOf(await engine.get("key 1"))).toBe("newer");
    expect(await keysOf(engine.scan())).toEqual(expected);
    gate.release();
    expect(await running).toMatchObject({ lsn: 10, entries: 7 });
    expect(await keysOf(engine.scan({ reverse: true }))).toEqual(expected.toReversed());
    expect(await keysOf(snapshot.scan())).toEqual(expected);
    snapshot.close();
    await engine.flush();
    expect(engine.stats().memtable.snapshots).toEqual({ open: 0, bytes: 0 });
    expect(await keysOf(engine.scan())).toEqual(expected);
    disk.crash();
    const reopened = await open(disk);
    expect(reopened.lastRecovery.recordCount).toBe(0);
    expect(textOf(await reopened.get("key 1"))).toBe("newer");
    expect(await keysOf(reopened.scan())).toEqual(expected);
    await reopened.close();
  });

  it("never covers what the log may still lose", async () => {
    for (const isUnhurried of [false, true]) {
      const disk = new SimDisk({ unhurried: isUnhurried });
      let left = 0;
      // At the edit that names the table: how far the log reaches after a power cut at that moment.
      const watched = new InterceptedDisk(disk, ({ kind, path }) =>
        kind === "append" && path.startsWith("manifest/")
          ? lsnAfterPowerCut(disk).then((lsn) => {
              left = lsn;
            })
          : undefined,
      );
      const engine = await Engine.open({ tables: { autoFlush: false, autoCompact: false } }, watched);
      let isOver = false;
      const relaxed = async (key: string) => {
        for (let i = 0; !isOver; i++) await engine.put(key, `${i}`, { durability: "relaxed" });
      };
      // Each is at another point of its way when the rotation ends.
      const writers = ["a", "b", "c", "d", "e"].map(async (key, i) => {
        for (let turn = 0; turn < i * 3; turn++) await undefined;
        await relaxed(key);
      });
      let last = 0;
      await engine.put("first", "1");
      try {
        for (let i = 0; i < 20; i++) {
          const { lsn } = await engine.flush();
          expect(lsn).toBeGreaterThan(last);
          expect(left).toBeGreaterThanOrEqual(lsn);
          last = lsn;
        }
      } finally {
        isOver = true;
        await Promise.all(writers);
      }
      await engine.close();
    }
  });

  it("is made once for all who ask while another is on its way", async () => {
    const disk = new SimDisk();
    const gate = holdUp(disk, writesTable);
    const engine = await Engine.open(CONFIG, gate.disk);
    await engine.put("a", "1");
    const first = engine.flush();
    await gate.held;
    await engine.put("b", "1");
    const [second, third] = [engine.flush(), engine.flush()];
    gate.release();
    expect(await first).toMatchObject({ lsn: 1 });
    expect(await second).toMatchObject({ lsn: 2 });
    expect(await third).toEqual(await second);
    await engine.close();
  });

  it.each(["append sst/", "sync sst/", "append manifest/", "sync wal/"])(
    "that is at %s when the engine is closed ends before close does, and loses nothing",
    async (step) => {
      const disk = new SimDisk();
      let isArmed = false;
      const gate = holdUp(disk, ({ kind, path }) => isArmed && `${kind} ${path}`.startsWith(step));
      const engine = await Engine.open(CONFIG, gate.disk);
      for (let i = 0; i < 300; i++) void engine.put(`key ${i}`, "x".repeat(300), { durability: "relaxed" });
      await engine.sync();
      await engine.put("relaxed", "x", { durability: "relaxed" });
      isArmed = true;
      const running = engine.flush().catch((error: unknown) => error);
      await gate.held;
      const closing = engine.close();
      gate.release();
      await closing;
      const outcome = await running;
      if (KayaError.is(outcome)) expect(outcome.code).toBe("KAYA_CLOSED");
      await rejection("KAYA_CLOSED", engine.flush());
      expect((await pathsIn(disk, "sst")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
      disk.crash();
      const reopened = await open(disk);
      expect(await reopened.count()).toBe(301);
      await reopened.close();
    },
  );

  it("is not made by an engine that failed", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await engine.put("a", "1");
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    await rejection("KAYA_FSYNC_FAILED", engine.put("b", "1"));
    await rejection("KAYA_WRITER_FAILED", engine.flush());
    expect(await disk.list("sst")).toEqual([]);
    await engine.close().catch(() => undefined);
  });

  it("at the close leaves the next opening no long log to replay, and a short one is left alone", async () => {
    for (const [count, tables] of [
      [100, 0],
      [400, 1], // also of what is not in the log yet when it is closed
    ] as const) {
      const disk = new SimDisk();
      const engine = await open(disk, {});
      for (let i = 0; i < count; i++)
        void engine.put(`key ${i}`, new Uint8Array(1000), { durability: "relaxed" });
      await engine.close();
      const reopened = await open(disk, {});
      expect(reopened.lastRecovery.tables.tables).toBe(tables);
      expect(reopened.lastRecovery.recordCount).toBe(tables === 0 ? count : 0);
      expect(await reopened.count()).toBe(count);
      await reopened.close();
    }
  });
});

/** The last LSN that would be left of the log and the tables. */
async function lsnAfterPowerCut(disk: SimDisk): Promise<number> {
  const left = disk.fork();
  left.crash();
  const { lastLsn, tables } = await recover({}, left, { dryRun: true });
  return lastLsn ?? tables.covered.lsn;
}

const STEPS = [
  "open sst/",
  "append sst/",
  "sync sst/",
  "syncDir sst",
  "append manifest/",
  "sync manifest/",
  "remove wal/",
  "syncDir wal",
];

describe("a flush that fails", () => {
  it.each(STEPS)("at %s is told in stats, is tried again, and loses nothing", async (step) => {
    for (const times of [1, 2]) {
      const disk = new SimDisk();
      let left = 0;
      const engine = await open(
        failing(disk, ({ kind, path }) => `${kind} ${path}`.startsWith(step) && left-- > 0),
      );
      await engine.put("warm", "1");
      await engine.flush();
      await fill(engine, 0, 30);
      left = times;
      const error = await rejection("KAYA_IO", engine.flush());
      expect(engine.stats().flush).toMatchObject({ finished: 1, failed: 1, error });
      const expected = await entriesOf(engine.scan());
      expect(expected).toHaveLength(8);
      // What is written meanwhile is in the other memtable.
      await engine.put("key 0", "newer");
      await engine.put("meanwhile", "1");
      if (times === 2) await engine.flush().catch(() => undefined);
      left = 0;
      expect(await engine.flush()).toMatchObject({ lsn: 33, sequence: 33 });
      expect(engine.stats().flush.error).toBe(undefined);
      expect(engine.stats().wal).toMatchObject({ bytes: 0 });
      expect(engine.stats().memtable).toMatchObject({ entries: 0, sealedBytes: 0 });
      const after = await entriesOf(engine.scan());
      expect(after).toHaveLength(9);
      expect(textOf(await engine.get("key 0"))).toBe("newer");
      disk.crash();
      const reopened = await open(disk);
      expect(await entriesOf(reopened.scan())).toEqual(after);
      await reopened.close();
    }
  });

  it("keeps its memtable sealed and readable; the next attempt writes it first, and the one behind it", async () => {
    const disk = new SimDisk();
    let fails = true;
    const engine = await open(failing(disk, (operation) => fails && writesTable(operation)));
    await engine.put("a", "1");
    await engine.put("gone", "1");
    await rejection("KAYA_IO", engine.flush());
    await engine.put("b", "2");
    await engine.delete("gone");
    await rejection("KAYA_IO", engine.flush());
    expect(engine.stats().memtable).toMatchObject({ entries: 3, tombstones: 1 });
    expect(engine.stats().memtable.sealedBytes).toBeGreaterThan(0);
    expect(await keysOf(engine.scan())).toEqual(["a", "b"]);
    fails = false;
    expect(await engine.flush()).toMatchObject({ lsn: 4, entries: 4 });
    expect(engine.stats().tables.tables).toBe(2);
    expect(await keysOf(engine.scan())).toEqual(["a", "b"]);
    await engine.close();
  });
});

/** Two memtables of 32 KiB. */
const AUTO: PartialEngineConfig = { memory: { memtableBytes: 64 * 1024 }, tables: { quietMs: 0 } };

describe("automatic flushes", () => {
  it("keep log, memory and files within their bounds while the same keys are written again and again", async () => {
    const disk = new SimDisk();
    const engine = await open(disk, { ...AUTO, wal: { segmentMaxBytes: 8000, maxRecordBytes: 4000 } });
    let [mostLog, mostMemory, mostFiles] = [0, 0, 0];
    for (let i = 0; i < 6000; i++) {
      await engine.put(`key ${i % 20}`, `${i}`.padStart(100, "x"), { durability: "relaxed" });
      if (i % 20 === 0) await nextTurn();
      const { wal, memtable, tables } = engine.stats();
      mostLog = Math.max(mostLog, wal.bytes);
      mostMemory = Math.max(mostMemory, memtable.bytes);
      mostFiles = Math.max(mostFiles, tables.tables + tables.obsoleteFiles);
    }
    expect(engine.stats().flush).toMatchObject({ failed: 0 });
    expect(engine.stats().flush.finished).toBeGreaterThan(5);
    // 900 KB were written to the log.
    expect(mostLog).toBeLessThan(2 * 64 * 1024 + 8000);
    expect(mostMemory).toBeLessThan(64 * 1024);
    expect(mostFiles).toBeLessThan(20);
    await engine.close();
    const reopened = await open(disk, AUTO);
    expect(await reopened.count()).toBe(20);
    await reopened.close();
  });

  it("holds writers up where these write faster than memtables become tables", async () => {
    const disk = new SimDisk();
    // Each step of a flush takes fifty turns of the event loop; a write takes none.
    const slow = new InterceptedDisk(disk, ({ path, mutates }) =>
      mutates && path.startsWith("sst/") ? turns(50) : undefined,
    );
    const engine = await open(slow, { ...AUTO, wal: { maxBatchBytes: 5000 } });
    let most = 0;
    const writer = async (name: string) => {
      for (let i = 0; i < 80; i++) {
        await engine.put(`${name} ${i}`, new Uint8Array(2000), { durability: "relaxed" });
        most = Math.max(most, engine.stats().memtable.bytes);
      }
    };
    await Promise.all(["a", "b", "c", "d", "e", "f", "g", "h"].map(writer));
    const { finished, heldUp } = engine.stats().flush;
    expect(finished).toBeGreaterThan(10);
    expect(heldUp).toBeGreaterThan(10);
    // What the writers have in the log's queue comes on top.
    expect(most).toBeGreaterThan(40 * 1024);
    expect(most).toBeLessThan(64 * 1024 + 2 * 8 * 2100);
    expect(await engine.count()).toBe(640);
    await engine.close();
  });

  it("hold nobody up once they failed, nor when the engine is closed meanwhile", async () => {
    const disk = new SimDisk();
    let fails = true;
    const full = new InterceptedDisk(disk, (operation) => {
      if (fails && writesTable(operation)) throw new KayaError("KAYA_DISK_FULL", "no space");
      return operation.path.startsWith("sst/") ? turns(10) : undefined;
    });
    const engine = await open(full, AUTO);
    let next = 0;
    const write = (count: number) =>
      Promise.all(Array.from({ length: count }, () => engine.put(`key ${next++}`, new Uint8Array(1000))));
    for (let i = 0; i < 5; i++) await write(10);
    await turns(50);
    expect(engine.stats().flush).toMatchObject({ finished: 0, error: { code: "KAYA_DISK_FULL" } });
    fails = false;
    const last = write(200);
    await turns(3);
    await Promise.all([last, engine.close()]);
    const { lastLsn, tables } = await recover({}, disk, { dryRun: true });
    expect(lastLsn ?? tables.covered.lsn).toBe(250);
  });

  it("refuses writes where both memtables are full and flushing fails, before anything is logged, and goes on once there is room", async () => {
    const disk = new SimDisk();
    let fails = true;
    let attempts = 0;
    const full = failing(
      disk,
      (operation) => fails && writesTable(operation) && ++attempts > 0,
      "KAYA_DISK_FULL" as never,
    );
    const engine = await open(full, AUTO);
    let accepted = 0;
    let refusal: unknown;
    for (let i = 0; refusal === undefined && i < 1000; i++) {
      await engine.put(`key ${i}`, new Uint8Array(1000)).then(
        () => accepted++,
        (error: unknown) => {
          refusal = error;
        },
      );
      await turns(2);
    }
    expect(refusal).toMatchObject({ code: "KAYA_DISK_FULL" });
    expect((refusal as KayaError).message).toContain("nothing was written: memory.memtableBytes are used up");
    // L7: both memtables, and no more.
    expect(engine.stats().memtable.bytes).toBeLessThan(64 * 1024 + 2000);
    expect(accepted).toBeGreaterThan(40);
    await turns(5);
    const { lastLsn } = engine.stats();
    expect(lastLsn).toBe(accepted);
    const before = attempts;
    for (const write of [
      () => engine.put("x", "1"),
      () => engine.batch([{ type: "put", key: "x", value: "1" }]),
      () =>
        engine.batch([{ type: "put", key: "x", value: "1" }], {
          conditions: [{ key: "x", sequence: undefined }],
        }),
      () => engine.clear(),
    ]) {
      await rejection("KAYA_DISK_FULL", write());
      await turns(20);
    }
    expect(attempts).toBeGreaterThan(before); // each refusal begins another attempt
    expect(engine.stats()).toMatchObject({ lastLsn, state: "open" });
    expect(await engine.count()).toBe(accepted);
    fails = false;
    await engine.put("first", "1").catch(() => undefined); // it begins the attempt that succeeds
    await engine.flush();
    expect(await engine.put("second", "1")).toMatchObject({ durable: true });
    expect(engine.stats().flush.error).toBe(undefined);
    await engine.close();
    const reopened = await open(disk, AUTO);
    expect(await reopened.count({ prefix: "key" })).toBe(accepted);
    await reopened.close();
  });

  it("do not come before a memtable is full", async () => {
    const engine = await open(new SimDisk(), { memory: { memtableBytes: 100_000 } });
    for (let i = 0; i < 200; i++) await engine.put(`key ${i}`, "x".repeat(50));
    expect(engine.stats().flush).toEqual({ isRunning: false, finished: 0, failed: 0, heldUp: 0 });
    await engine.close();
  });
});

/** Without compaction, so that the files are those of the tables. */
const STAGING: PartialEngineConfig = { ...AUTO, tables: { autoCompact: false } };

/** A log that fills a memtable of 32 KiB several times, in segments, and no table. */
async function longLog(): Promise<{ disk: SimDisk; entries: [string, string][] }> {
  const disk = new SimDisk();
  const engine = await open(disk, { wal: { segmentMaxBytes: 20_000 }, tables: { autoFlush: false } });
  for (let i = 0; i < 200; i++) {
    await engine.put(`key ${i % 150}`, `${i}`.padStart(1000, "x"), { durability: "relaxed" });
    if (i % 40 === 39) await engine.clear({ gte: "key 3", lt: "key 4" });
  }
  const entries = await entriesOf(engine.scan());
  await engine.close();
  return { disk, entries };
}

describe("of a log that is replayed", () => {
  it("what does not fit a memtable becomes tables, with one edit, and the log goes", async () => {
    const { disk, entries } = await longLog();
    const engine = await open(disk, AUTO);
    const { tables, memtable, wal } = engine.stats();
    expect(tables.tables).toBeGreaterThan(2);
    expect(memtable.bytes).toBeLessThan(32 * 1024 + 2000);
    expect(wal.bytes).toBeLessThan(64 * 1024);
    expect(await entriesOf(engine.scan())).toEqual(entries);
    disk.crash();
    const again = await open(disk, AUTO);
    expect(await entriesOf(again.scan())).toEqual(entries);
    await again.close();
  });

  it("where recovery refuses it, nothing has changed", async () => {
    const { disk } = await longLog();
    const segments = (await disk.list("wal")).filter(({ path }) => path.endsWith(".wal"));
    const { path, length } = segments.at(-2) ?? { path: "", length: 0 };
    disk.flipBit(path, length - 500, 3);
    const contents = async () =>
      Promise.all(
        ["", "wal", "manifest", "sst"].map(async (dir) =>
          (await disk.list(dir))
            .filter(({ path: name, isDirectory }) => name !== "LOCK" && !isDirectory)
            .map(({ path: name, length: size }) => [name, size]),
        ),
      );
    const before = await contents();
    const error = await rejection("KAYA_CORRUPTION", open(disk, { ...AUTO, wal: { recovery: "absolute" } }));
    expect(error.message).toContain(path);
    expect(await contents()).toEqual(before);
  });

  it("where anything fails meanwhile, and the power too, the next opening has all of it", async () => {
    const { disk: template, entries } = await longLog();
    const counted = template.fork();
    const before = counted.nextOperation;
    await (await open(counted, STAGING)).close();
    const operations = counted.nextOperation - before;
    expect(operations).toBeGreaterThan(30);
    for (let at = 0; at < operations; at++) {
      for (const kind of ["io-error", "fsync-failed", "disk-full"] as const) {
        const disk = template.fork();
        disk.addFault({ at: disk.nextOperation + at, kind });
        const engine = await open(disk, STAGING).catch((error: unknown) => {
          expect(KayaError.is(error), `${kind} at ${at}: ${error}`).toBe(true);
          return undefined;
        });
        await engine?.close().catch(() => undefined);
        disk.crash({ survive: "random", seed: at });
        const again = await open(disk, STAGING);
        expect(await entriesOf(again.scan()), `${kind} at ${at}`).toEqual(entries);
        expect((await pathsIn(disk, "sst")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
        expect((await pathsIn(disk, "sst")).length).toBe(again.stats().tables.tables);
        await again.close();
      }
    }
  });
});
