import { SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { Engine, type PartialEngineConfig, recover } from "../src/index.js";
import { changesToEnd, FeedReader, lsnOf, Replica, settle } from "./support/feeds.js";
import { entriesOf, rejection } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const CONFIG: PartialEngineConfig = {
  wal: { segmentMaxBytes: 700, maxRecordBytes: 400, maxBatchBytes: 300 },
  tables: { autoFlush: false },
};
const SEGMENT_1 = "wal/0000000000000001.wal";

const open = (disk: SimDisk, config: PartialEngineConfig = CONFIG) => Engine.open(config, disk);
const code = (name: string, message = "") =>
  expect.objectContaining({ code: name, message: expect.stringContaining(message) });

async function fill(engine: Engine, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await engine.put(`key ${i % 7}`, `${i}`.repeat(9));
}

describe("a change feed", () => {
  it("F3: gives each write once, in order, a batch as one, first what was, then what comes", async () => {
    const engine = await open(new SimDisk());
    await engine.put("a", "1");
    await engine.batch([
      { type: "put", key: "b", value: "1" },
      { type: "delete", key: "a" },
      { type: "put", key: "b", value: "2" },
    ]);
    const reader = new FeedReader(engine.changes());
    await settle();
    await engine.delete("b");
    await engine.put("", "");
    await settle();
    expect(reader.texts).toEqual(["1/1 a=1", "2/2 b=1 -a b=2", "3/5 -b", "4/6 ="]);
    await engine.close();
    await reader.over;
    expect(reader.error).toMatchObject({
      code: "KAYA_CLOSED",
      message: "the engine is closed: open it again",
    });
  });

  it("F1: shows a write only once it is durable", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    const reader = new FeedReader(engine.changes());
    await engine.put("a", "1", { durability: "relaxed" });
    await settle();
    expect(reader.lsns).toEqual([]);
    await engine.sync();
    await settle();
    expect(reader.lsns).toEqual([1]);
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    await rejection("KAYA_FSYNC_FAILED", engine.put("lost", "1"));
    await reader.over;
    expect(reader.lsns).toEqual([1]);
    expect(reader.error).toMatchObject({ code: "KAYA_WRITER_FAILED" });
    await rejection("KAYA_WRITER_FAILED", engine.changesToken());
    expect((await changesToEnd(engine, engine.changes(), 0)).length).toBe(1);
    await engine.close();
  });

  it("gives bytes that are the caller's: nothing else shows what is written into them", async () => {
    const engine = await open(new SimDisk());
    await engine.put("a", "1");
    await engine.put("b", "2");
    await engine.clear({ gte: "x", lt: "y" });
    const [first, , last] = await changesToEnd(engine, engine.changes(), 0);
    for (const operation of [...(first?.operations ?? []), ...(last?.operations ?? [])]) {
      const { key, start, end } = operation as { key?: Uint8Array; start?: Uint8Array; end?: Uint8Array };
      for (const bytes of [key, start, end]) {
        if (bytes === undefined) continue;
        expect(bytes.buffer.byteLength).toBe(1);
        bytes.fill(0);
      }
    }
    const reader = new FeedReader(engine.changes());
    await settle();
    expect(reader.texts).toEqual(["1/1 a=1", "2/2 b=2", "3/3 -[x, y)"]);
    expect(await entriesOf(engine.scan())).toEqual([
      ["a", "1"],
      ["b", "2"],
    ]);
    await engine.close();
  });

  it("F4: goes on behind any token, in the same engine and in a later one", async () => {
    const disk = new SimDisk();
    let engine = await open(disk);
    await fill(engine, 20);
    const all = await changesToEnd(engine, engine.changes(), 0);
    for (const { token, lsn } of all) {
      const rest = await changesToEnd(engine, engine.changes({ since: token }), lsn);
      expect(rest).toEqual(all.slice(lsn));
    }
    await engine.close();
    engine = await open(disk);
    for (const { token, lsn } of all)
      expect(await changesToEnd(engine, engine.changes({ since: token }), lsn)).toEqual(all.slice(lsn));
    await engine.close();
  });

  it("F4: a token, then a look at the data, then what follows: that is how a copy begins", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await fill(engine, 20);
    await engine.put("relaxed", "1", { durability: "relaxed" });
    const token = await engine.changesToken();
    expect(lsnOf(token)).toBe(21);
    await engine.delete("key 1");
    await engine.flush();
    const replica = new Replica();
    for (const [key, value] of await entriesOf(engine.scan())) replica.entries.set(key, value);
    await engine.delete("key 2");
    await engine.put("key 1", "again");
    // The flush dropped the change behind the token: nobody asked for it to be kept.
    expect(() => engine.changes({ since: token })).toThrow(code("KAYA_LOG_TRUNCATED", "LSN 21"));
    const later = await engine.changesToken();
    await engine.delete("key 3");
    for (const change of await changesToEnd(engine, engine.changes({ since: later }), lsnOf(later)))
      replica.apply(change);
    replica.entries.delete("key 2");
    replica.entries.set("key 1", "again");
    expect(replica.sorted).toEqual(await entriesOf(engine.scan()));
    await engine.close();
  });

  it("of an empty engine waits for the first write, and has a token before it", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    const token = await engine.changesToken();
    expect(lsnOf(token)).toBe(0);
    const reader = new FeedReader(engine.changes({ since: token }));
    await settle();
    await engine.put("a", "1");
    await settle();
    expect(reader.lsns).toEqual([1]);
    await engine.close();
  });

  it("asks of a disk nothing before it is read, and makes the log's id only then", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await engine.put("a", "1");
    const before = disk.nextOperation;
    const feed = engine.changes();
    expect(disk.nextOperation).toBe(before);
    expect(engine.stats().changes.feeds).toBe(0);
    expect((await feed.next()).value?.token).toMatch(/^[0-9a-f]{16}-1$/);
    expect(engine.stats().changes.feeds).toBe(1);
    await feed.return();
    expect(engine.stats().changes).toEqual({ feeds: 0, consumers: 0, keptLogBytes: 0 });
    await engine.close();
  });

  it("settles calls of next in their order, also those made before the first is through", async () => {
    const engine = await open(new SimDisk());
    await fill(engine, 5);
    const feed = engine.changes();
    const results = Array.from({ length: 7 }, () => feed.next());
    await engine.put("a", "1");
    await engine.put("b", "1");
    expect((await Promise.all(results)).map(({ value }) => value?.lsn)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    await engine.close();
  });
});

describe("F7: a feed ends", () => {
  it("when its loop is left, at any point; nothing is left behind", async () => {
    const engine = await open(new SimDisk());
    await fill(engine, 10);
    for (const last of [1, 5, 10]) {
      for await (const { lsn } of engine.changes()) if (lsn === last) break;
      expect(engine.stats().changes.feeds).toBe(0);
    }
    const waiting = engine.changes({ since: await engine.changesToken() });
    const next = [waiting.next(), waiting.next()];
    await settle();
    await waiting.return();
    for (const each of next) expect(await each).toEqual({ done: true, value: undefined });
    expect(engine.stats().changes.feeds).toBe(0);
    await engine.close();
  });

  it("when its signal is aborted: with the reason, wherever it stands", async () => {
    const engine = await open(new SimDisk());
    await fill(engine, 3);
    const abort = new AbortController();
    const { signal } = abort;
    const waiting = new FeedReader(engine.changes({ signal }));
    const slow = engine.changes({ signal });
    await slow.next();
    const unread = engine.changes({ signal });
    await settle();
    const reason = new Error("enough");
    abort.abort(reason);
    await waiting.over;
    expect([waiting.lsns, waiting.error]).toEqual([[1, 2, 3], reason]);
    await expect(slow.next()).rejects.toBe(reason);
    await expect(unread.next()).rejects.toBe(reason);
    expect(() => engine.changes({ signal })).toThrow(reason);
    expect(engine.stats().changes.feeds).toBe(0);
    await engine.close();
  });

  it("with the engine, which waits for nobody who does not read", async () => {
    const engine = await open(new SimDisk());
    await fill(engine, 10);
    const slow = engine.changes();
    await slow.next();
    const unread = engine.changes();
    const first = engine.changes().next();
    await engine.close();
    await rejection("KAYA_CLOSED", slow.next());
    await rejection("KAYA_CLOSED", unread.next());
    await rejection("KAYA_CLOSED", first);
    expect(() => engine.changes()).toThrow(code("KAYA_CLOSED"));
    await rejection("KAYA_CLOSED", engine.changesToken());
    await rejection("KAYA_CLOSED", engine.addConsumer("x"));
  });

  it("where the log's id has no room, and another one begins once there is some", async () => {
    const disk = new SimDisk();
    let engine = await open(disk);
    await engine.put("a", "1");
    await engine.close();
    disk.removeDurably("wal/log-id");
    engine = await open(disk);
    disk.addFault({ at: disk.nextOperation + 1, kind: "disk-full" }); // behind the removal of a leftover
    const feed = engine.changes();
    await rejection("KAYA_DISK_FULL", feed.next());
    expect(await feed.next()).toEqual({ done: true, value: undefined });
    expect(engine.stats().changes.feeds).toBe(0);
    expect((await changesToEnd(engine, engine.changes(), 0)).length).toBe(1);
    await engine.close();
  });
});

describe("F5: what the log does not have is said, never passed over", () => {
  it("where a flush dropped it: to whoever begins, and to whoever is on the way", async () => {
    const engine = await open(new SimDisk());
    await fill(engine, 30);
    const feed = engine.changes();
    const { value } = await feed.next();
    await engine.flush();
    expect(() => engine.changes()).toThrow(code("KAYA_LOG_TRUNCATED", "LSN 30"));
    expect(() => engine.changes({ since: value?.token ?? "" })).toThrow(code("KAYA_LOG_TRUNCATED"));
    await expect(
      (async () => {
        for await (const _ of feed);
      })(),
    ).rejects.toMatchObject({ code: "KAYA_LOG_TRUNCATED" });
    await engine.close();
  });

  it("a token of another log, or of a copy that was made by backup", async () => {
    const engine = await open(new SimDisk());
    await fill(engine, 5);
    const token = await engine.changesToken();
    const target = new SimDisk();
    await engine.backup(target);
    await engine.close();
    const copy = await open(target);
    expect(() => copy.changes({ since: token })).toThrow(code("KAYA_LOG_TRUNCATED", "of another log"));
    await copy.changesToken();
    expect(() => copy.changes({ since: token })).toThrow(code("KAYA_LOG_TRUNCATED", "of another log"));
    await rejection("KAYA_LOG_TRUNCATED", copy.addConsumer("x", { since: token }));
    await copy.close();
  });

  it("a token beyond the end of a log that lost whole segments unseen", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await fill(engine, 30);
    const token = await engine.changesToken();
    await engine.close();
    const last = (await disk.list("wal")).filter(({ path }) => path.endsWith(".wal")).at(-1)?.path ?? "";
    disk.removeDurably(last);
    await rejection("KAYA_CORRUPTION", open(disk));
    disk.removeDurably("LOCK"); // and with it what was known of the log's end
    const again = await open(disk);
    expect(() => again.changes({ since: token })).toThrow(code("KAYA_LOG_TRUNCATED", "the log ends at"));
    await rejection("KAYA_LOG_TRUNCATED", again.addConsumer("x", { since: token }));
    await again.close();
  });

  it("a token of what a recovery cut; those before the cut stay good, and the LSN comes back as another change", async () => {
    const disk = new SimDisk();
    let engine = await open(disk);
    await fill(engine, 6);
    const all = await changesToEnd(engine, engine.changes(), 0);
    await engine.close();
    const bytes = disk.readFile(SEGMENT_1) ?? new Uint8Array();
    disk.writeFile(SEGMENT_1, bytes.subarray(0, bytes.length - 100)); // damage: a crash takes nothing that was durable
    engine = await Engine.open({ wal: { recovery: "prefix" } }, disk);
    const left = engine.stats().lastLsn;
    expect(left).toBeLessThan(6);
    await fill(engine, 6);
    for (const { lsn, token } of all) {
      if (lsn > left)
        expect(() => engine.changes({ since: token })).toThrow(code("KAYA_LOG_TRUNCATED", "a recovery cut"));
      else
        expect((await changesToEnd(engine, engine.changes({ since: token }), lsn)).length).toBe(
          left + 6 - lsn,
        );
    }
    await engine.close();
  });

  it("what is no token, and what is no option", async () => {
    const engine = await open(new SimDisk());
    for (const since of [
      "",
      "1",
      "x-1",
      `${"a".repeat(16)}-01`,
      `${"a".repeat(16)}--1`,
      5 as unknown as string,
    ])
      expect(() => engine.changes({ since })).toThrow(code("KAYA_INVALID_ARGUMENT"));
    expect(() => engine.changes({ from: "x" } as object)).toThrow(code("KAYA_INVALID_ARGUMENT", "from"));
    expect(() => engine.changes({ signal: {} as AbortSignal })).toThrow(code("KAYA_INVALID_ARGUMENT"));
    expect(() => engine.changes({ since: "x", consumer: "y" })).toThrow(code("KAYA_INVALID_ARGUMENT"));
    expect(() => engine.changes({ consumer: "nobody" })).toThrow(code("KAYA_NOT_FOUND", "nobody"));
    await rejection("KAYA_INVALID_ARGUMENT", engine.changes().acknowledge("x"));
    await engine.close();
  });

  it("damage in what is followed, with file and offset", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await fill(engine, 30);
    disk.flipBit("wal/0000000000000002.wal", 60, 1);
    const reader = new FeedReader(engine.changes());
    await reader.over;
    expect(reader.error).toEqual(code("KAYA_CORRUPTION", "wal/0000000000000002.wal: offset 0"));
    await engine.close();
  });
});

describe("F6: the log's id", () => {
  it("of a directory that nobody followed is not there", async () => {
    const disk = new SimDisk();
    await (await open(disk)).close();
    expect((await disk.list("")).map(({ path }) => path)).toEqual(["LOCK", "manifest"]);
    const report = await recover(CONFIG, disk, { dryRun: true });
    expect(report.warnings).toEqual([]);
  });

  it("that is damaged is told, and tokens from before are refused", async () => {
    const disk = new SimDisk();
    let engine = await open(disk);
    await fill(engine, 3);
    const token = await engine.changesToken();
    await engine.close();
    disk.flipBit("wal/log-id", 20, 0);
    engine = await open(disk);
    expect(engine.lastRecovery.warnings).toEqual([{ kind: "DamagedLogId", path: "wal/log-id" }]);
    expect(() => engine.changes({ since: token })).toThrow(code("KAYA_LOG_TRUNCATED", "whose id was lost"));
    expect((await changesToEnd(engine, engine.changes(), 0)).length).toBe(3);
    await engine.close();
  });
});
