import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import {
  type AppendResult,
  encodeRecord,
  recoverWal,
  type WalPayload,
  type WalRecord,
  WalWriter,
} from "../src/index.js";
import {
  batch,
  bytes,
  del,
  delRange,
  fill,
  mutationsOf,
  noop,
  numbered,
  outcome,
  plain,
  present,
  put,
  putUntil,
  segmentPath,
  settle,
} from "./support.js";

const LOG = segmentPath(1);

/** A writer whose first segment is there, so that only writes and syncs are left to count. */
async function opened(
  config = {},
  options = {},
): Promise<{ disk: SimDisk; writer: WalWriter; from: number }> {
  const disk = new SimDisk();
  const writer = await WalWriter.open(config, disk, options);
  await writer.append(noop);
  return { disk, writer, from: disk.nextOperation };
}

describe("group commit: one write and one fsync for all that gathered", () => {
  it("a thousand appends of one turn", async () => {
    const { disk, writer, from } = await opened();
    const results = await Promise.all(
      Array.from({ length: 1000 }, (_, index) => writer.append(put(`key ${index}`))),
    );
    expect(mutationsOf(disk, from)).toEqual([`append ${LOG}`, `sync ${LOG}`]);
    expect(results.map(({ lsn }) => lsn)).toEqual(results.map((_, index) => index + 2));
    disk.crash();
    expect((await recoverWal({}, disk)).recordCount).toBe(1001);
  });

  it("what arrives while a batch is on its way is the next batch", async () => {
    const { disk, writer, from } = await opened();
    const first = writer.append(put("a"));
    await Promise.resolve();
    await Promise.resolve();
    const next = ["b", "c", "d"].map((key) => writer.append(put(key)));
    await Promise.all([first, ...next]);
    expect(mutationsOf(disk, from)).toEqual([`append ${LOG}`, `sync ${LOG}`, `append ${LOG}`, `sync ${LOG}`]);
  });

  it("callers that the end of a segment parted come together again", async () => {
    const callers = 4;
    // The first segment ends in the middle of a round: after its first record, five rounds of four, and two of a sixth.
    const segmentMaxBytes = 40 * (1 + 5 * callers + 2);
    const { disk, writer } = await opened({ segmentMaxBytes });
    const throughALayer = async () => {
      await writer.append(noop);
    };
    const rounds = 10;
    const before = disk.nextOperation;
    await Promise.all(
      Array.from({ length: callers }, async () => {
        for (let i = 0; i < rounds; i++) await throughALayer();
      }),
    );
    const written = mutationsOf(disk, before).filter((mutation) => mutation.startsWith("append"));
    expect(written.length).toBeLessThanOrEqual(rounds + 2);
    await writer.close();
  });

  it("relaxed records alone need no fsync", async () => {
    const { disk, writer, from } = await opened();
    const results = await Promise.all(["a", "b", "c"].map((key) => writer.append(put(key), "relaxed")));
    expect(mutationsOf(disk, from)).toEqual([`append ${LOG}`]);
    expect(results.map(({ durable }) => durable)).toEqual([false, false, false]);
    expect(writer.durableLsn).toBe(1);
  });

  it("relaxed records ahead of the first strict one settle after the write, those behind it are durable", async () => {
    const { writer } = await opened();
    const modes = ["relaxed", "relaxed", "strict", "relaxed", "strict"] as const;
    const results = await Promise.all(modes.map((mode) => writer.append(noop, mode)));
    expect(results.map(({ durable }) => durable)).toEqual([false, false, true, true, true]);
    expect(writer.durableLsn).toBe(6);
  });

  it("relaxed records ahead of a strict one do not wait for its fsync", async () => {
    const { disk, writer, from } = await opened();
    let syncedBefore: boolean | undefined;
    const relaxed = writer.append(noop, "relaxed").then(() => {
      syncedBefore = mutationsOf(disk, from).includes(`sync ${LOG}`) && writer.durableLsn >= 2;
    });
    await Promise.all([relaxed, writer.append(noop)]);
    expect(syncedBefore).toBe(false);
  });

  it("a lone strict append resolves with nothing else going on", async () => {
    const writer = await WalWriter.open({}, new SimDisk());
    expect(await writer.append(put("alone"))).toMatchObject({ lsn: 1, durable: true });
  });

  it("promises settle in the order of the appends", async () => {
    const { writer } = await opened({ maxBatchBytes: 150 });
    const settled: number[] = [];
    const modes = Array.from({ length: 30 }, (_, index) => (index % 3 === 0 ? "strict" : "relaxed"));
    await Promise.all(
      modes.map(async (mode, index) => {
        await writer.append(put(`${index}`), mode as "strict" | "relaxed");
        settled.push(index);
      }),
    );
    expect(settled).toEqual(modes.map((_, index) => index));
  });
});

describe("what an append gives", () => {
  it("LSNs count records, sequences count operations, offsets are where the bytes are", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    const payloads: WalPayload[] = [
      put("a"),
      batch(put("b"), del("a"), put("c")),
      noop,
      del("b"),
      batch(del("x")),
    ];
    const results = await Promise.all(payloads.map((payload) => writer.append(payload)));
    const records = numbered(payloads);
    let offset = 0;
    const expected = records.map((record): AppendResult => {
      const { lsn, sequence } = record;
      const encodedLength = encodeRecord(record).length;
      const result = { lsn, sequence, offset, encodedLength, segmentId: 1, durable: true };
      offset += encodedLength;
      return result;
    });
    expect(results).toEqual(expected);
    expect([writer.nextLsn, writer.nextSequence, writer.durableLsn]).toEqual([6, 8, 5]);
    expect(disk.readFile(LOG)).toEqual(
      Uint8Array.from(Buffer.concat(records.map((record) => encodeRecord(record)))),
    );
  });

  it("inputs may be used again once append has returned", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    const key = bytes("key");
    const value = bytes("value");
    const appended = [
      writer.append({ type: "put", key, value }),
      writer.append({ type: "batch", operations: [{ type: "put", key, value }] }),
    ];
    key.fill(0);
    value.fill(0);
    await Promise.all(appended);
    const expected = numbered([put("key", "value"), batch(put("key", "value"))]);
    expect(plain((await recoverWal({}, disk)).records)).toEqual(plain(expected));
  });
});

describe("toResult", () => {
  it("makes what an append resolves with, for each record its own", async () => {
    const { writer } = await opened(
      {},
      { toResult: ({ lsn, durable }: AppendResult) => `${lsn} ${durable}` },
    );
    const results = [noop, put("a"), batch(put("b"), put("c"))].map((payload, i) =>
      writer.append(payload, i === 0 ? "relaxed" : "strict"),
    );
    expect(await Promise.all(results)).toEqual(["2 false", "3 true", "4 true"]);
    await writer.close();
  });
});

describe("onCommit", () => {
  function watching() {
    const seen: string[] = [];
    const onCommit = (record: WalRecord) => seen.push(...plain([record]));
    return { seen, onCommit };
  }

  it("shows every record before its promise settles, in LSN order, with what was appended", async () => {
    const { seen, onCommit } = watching();
    const { writer } = await opened({ maxBatchBytes: 200 }, { onCommit });
    const payloads = Array.from({ length: 20 }, (_, index) =>
      index % 4 === 0 ? batch(put(`${index}`), del("x")) : put(`${index}`),
    );
    const records = numbered([noop, ...payloads]);
    await Promise.all(
      payloads.map(async (payload, index) => {
        await writer.append(payload, index % 3 === 0 ? "strict" : "relaxed");
        expect(seen).toContain(plain(records)[index + 1]);
      }),
    );
    expect(seen).toEqual(plain(records));
  });

  it("never shows a strict record that is not durable", async () => {
    const disk = new SimDisk();
    const durableLsns: [number, number][] = [];
    const writer: WalWriter = await WalWriter.open({}, disk, {
      onCommit: ({ lsn }) => durableLsns.push([lsn, writer.durableLsn]),
    });
    await Promise.all([writer.append(noop, "relaxed"), writer.append(noop), writer.append(noop, "relaxed")]);
    expect(durableLsns).toEqual([
      [1, 0],
      [2, 3],
      [3, 3],
    ]);
  });

  it("never shows a record that was rejected", async () => {
    const { seen, onCommit } = watching();
    const { disk, writer } = await opened({}, { onCommit });
    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    await outcome(writer.append(put("taken back")));
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    await outcome(writer.append(put("never durable")));
    expect(seen).toEqual(["1/1 noop"]);
  });

  it("W6: one that throws all the same poisons the writer, and nothing hangs", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk, {
      onCommit: ({ lsn }) => {
        if (lsn === 2) throw new Error("a bug of the caller's");
      },
    });
    const results = await Promise.all(["a", "b", "c"].map((key) => outcome(writer.append(put(key)))));
    expect(results[1]).toMatchObject({ error: { code: "KAYA_INTERNAL" } });
    expect(results[2]).toMatchObject({ error: { code: "KAYA_INTERNAL" } });
    await expect(writer.append(noop)).rejects.toMatchObject({ code: "KAYA_WRITER_FAILED" });
    await outcome(writer.close());
  });
});

describe("W5: maxBatchBytes caps one write; pendingBytes and ready hold a caller back", () => {
  it("no write is larger, and all of it is written in order", async () => {
    const { disk, writer } = await opened({ maxBatchBytes: 500, preallocateBytes: 0 });
    await Promise.all(Array.from({ length: 50 }, (_, index) => writer.append(put(`${index}`, fill(index)))));
    const writes = disk.events.filter(({ kind }) => kind === "append").map(({ length }) => length ?? 0);
    expect(Math.max(...writes)).toBeLessThanOrEqual(500);
    expect(writes.length).toBeGreaterThan(5);
    expect((await recoverWal({}, disk)).recordCount).toBe(51);
  });

  it("a record that is larger by itself is written alone", async () => {
    const { disk, writer, from } = await opened({ maxBatchBytes: 100 });
    await Promise.all([
      writer.append(put("a")),
      writer.append(put("large", fill(1000))),
      writer.append(put("b")),
    ]);
    const writes = disk.events.filter(({ kind, index }) => kind === "append" && (index ?? 0) >= from);
    expect(writes.map(({ length }) => length)).toEqual(
      [59, 1053, 59].map((length) => expect.closeTo(length, -1)),
    );
    expect(writes).toHaveLength(3);
  });

  it("pendingBytes counts what is not settled, ready waits until there is room", async () => {
    const { writer } = await opened({ maxBatchBytes: 100 });
    expect(writer.pendingBytes).toBe(0);
    await writer.ready();
    const appended = Array.from({ length: 10 }, () => writer.append(put("k", fill(11))));
    expect(writer.pendingBytes).toBe(10 * 60);
    expect([...writer.pending()].map(({ lsn }) => lsn)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    await writer.ready();
    expect(writer.pendingBytes).toBeLessThan(200);
    await Promise.all(appended);
    expect(writer.pendingBytes).toBe(0);
    expect([...writer.pending()]).toEqual([]);
  });

  it("pendingChange tells the last change to a key on its way, over all batches, and settles with it", async () => {
    const { disk, writer } = await opened({ maxBatchBytes: 200 });
    const key = bytes("key");
    expect(writer.pendingChange(key)).toBe(undefined);
    const appended = [
      writer.append(put("key")),
      writer.append(noop),
      writer.append(batch(del("key"), put("x"))),
    ];
    expect(writer.pendingChange(key)).toMatchObject({ type: "delete", sequence: 4 });
    appended.push(writer.append(batch(put("y"), put("key")), "relaxed"));
    const change = present(writer.pendingChange(key));
    expect(change).toMatchObject({ type: "put", lsn: 5, sequence: 7 });
    expect(change.operation()).toEqual(put("key"));
    expect(change.expiresAt).toBe(undefined);
    expect(present(writer.pendingChange(bytes("x"))).operation()).toEqual(put("x"));
    expect([...writer.pending(3)].map(({ lsn }) => lsn)).toEqual([4, 5]);
    expect(writer.pendingChange(bytes("x"))).toMatchObject({ type: "put", sequence: 5 });
    expect(writer.pendingChange(bytes("z"))).toBe(undefined);
    appended.push(writer.append(putUntil(77, "z")));
    expect(writer.pendingChange(bytes("z"))).toMatchObject({ type: "put", sequence: 8, expiresAt: 77 });
    await change.settled();
    await Promise.all(appended);
    expect(writer.pendingChange(key)).toBe(undefined);

    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    const rejected = writer.append(put("key"));
    const cleared = writer.append(delRange("k", "l"));
    const other = writer.append(batch(delRange("y"), put("z")));
    expect(writer.pendingChange(key)).toMatchObject({ type: "deleteRange", sequence: 10 });
    expect(writer.pendingChange(bytes("l"))).toBe(undefined);
    expect(writer.pendingChange(bytes("z"))).toMatchObject({ type: "put", sequence: 12 });
    expect(writer.pendingChange(bytes("zz"))).toMatchObject({ type: "deleteRange", sequence: 11 });
    expect(present(writer.pendingChange(bytes("zz"))).operation()).toEqual(delRange("y"));
    expect(writer.takeBacks).toBe(0);
    const lost = present(writer.pendingChange(key)).settled();
    await expect(cleared).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    await expect(other).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    await expect(lost).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    await expect(rejected).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    expect(writer.pendingChange(key)).toBe(undefined);
    expect(writer.takeBacks).toBe(1);
    await writer.close();
  });

  it("a caller who waits for room and for nothing else stays within bounds", async () => {
    const { writer } = await opened({ maxBatchBytes: 1000 });
    let most = 0;
    for (let i = 0; i < 300; i++) {
      await writer.ready();
      writer.append(put(`${i}`, fill(100)), "relaxed").catch(() => undefined);
      most = Math.max(most, writer.pendingBytes);
    }
    expect(most).toBeLessThan(2 * 1000 + 200);
    await writer.close();
    expect(writer.durableLsn).toBe(301);
  });

  it("ready rejects when the writer fails or is closed while it waits", async () => {
    const failing = await opened({ maxBatchBytes: 100 });
    failing.disk.addFault({ at: failing.disk.nextOperation + 1, kind: "fsync-failed" });
    const appends = Array.from({ length: 10 }, () => outcome(failing.writer.append(put("k", fill(50)))));
    await expect(failing.writer.ready()).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    await Promise.all(appends);

    const full = await opened({ maxBatchBytes: 100 });
    full.disk.addFault({ at: full.disk.nextOperation, kind: "disk-full" });
    const rejected = Array.from({ length: 10 }, () => outcome(full.writer.append(put("k", fill(50)))));
    await full.writer.ready();
    await Promise.all(rejected);
    await full.writer.close();
    await expect(full.writer.ready()).rejects.toMatchObject({ code: "KAYA_CLOSED" });
  });
});

describe("sync", () => {
  it("makes all that was appended so far durable, what is still on its way included", async () => {
    const { disk, writer } = await opened();
    await writer.append(put("a"), "relaxed");
    const pending = writer.append(put("b"), "relaxed");
    await writer.sync();
    expect(writer.durableLsn).toBe(3);
    await pending;
    disk.crash();
    expect((await recoverWal({}, disk)).recordCount).toBe(3);
  });

  it("costs nothing where all is durable", async () => {
    const { disk, writer, from } = await opened();
    await writer.sync();
    expect(mutationsOf(disk, from)).toEqual([]);
    const empty = new SimDisk();
    await (await WalWriter.open({}, empty)).sync();
    expect(mutationsOf(empty)).toEqual([]);
  });

  it("shares one fsync with whoever asks at the same time", async () => {
    const { disk, writer, from } = await opened();
    await Promise.all([writer.append(noop), writer.sync(), writer.sync(), writer.append(noop)]);
    expect(mutationsOf(disk, from)).toEqual([`append ${LOG}`, `sync ${LOG}`]);
  });

  it("waits for a batch that is on its way", async () => {
    const { disk, writer } = await opened();
    const relaxed = writer.append(noop, "relaxed");
    await Promise.resolve();
    await Promise.resolve();
    await writer.sync();
    await relaxed;
    disk.crash();
    expect((await recoverWal({}, disk)).recordCount).toBe(2);
  });
});

describe("a caller's mistakes reject with KAYA_INVALID_ARGUMENT, and nothing is written", () => {
  const wrong: readonly (readonly [string, unknown, unknown])[] = [
    ["a record over maxRecordBytes", put("k", fill(1000)), "strict"],
    [
      "a batch over maxRecordBytes",
      batch(...Array.from({ length: 50 }, () => put("key", "value"))),
      "strict",
    ],
    ["an empty batch", { type: "batch", operations: [] }, "strict"],
    ["no payload", undefined, "strict"],
    ["an unknown type", { type: "merge" }, "strict"],
    ["a string for a key", { type: "put", key: "k", value: bytes("v") }, "strict"],
    ["an unknown mode", noop, "eventual"],
    ["null for a mode", noop, null],
  ];

  for (const [name, payload, mode] of wrong) {
    it(name, async () => {
      const { disk, writer, from } = await opened({ maxRecordBytes: 500 });
      const before = writer.append(put("before"));
      const bad = outcome(writer.append(payload as WalPayload, mode as "strict"));
      const after = writer.append(put("after"));
      expect(await bad).toMatchObject({ error: { code: "KAYA_INVALID_ARGUMENT" } });
      expect([(await before).lsn, (await after).lsn]).toEqual([2, 3]);
      expect(mutationsOf(disk, from)).toEqual([`append ${LOG}`, `sync ${LOG}`]);
      expect(writer.pendingBytes).toBe(0);
    });
  }

  it("a record of exactly maxRecordBytes is taken, one byte more is not", async () => {
    const { writer } = await opened({ maxRecordBytes: 100 });
    expect((await writer.append(put("k", fill(51)))).encodedLength).toBe(100);
    await expect(writer.append(put("k", fill(52)))).rejects.toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
  });
});

describe("W6: close drains and syncs, and nothing hangs", () => {
  it("makes relaxed records durable", async () => {
    const { disk, writer } = await opened();
    await writer.append(put("a"), "relaxed");
    await writer.close();
    disk.crash();
    expect((await recoverWal({}, disk)).recordCount).toBe(2);
  });

  it("settles what is pending", async () => {
    const { disk, writer } = await opened({ maxBatchBytes: 100 });
    const pending = Promise.all(
      [noop, put("a", fill(90)), put("b")].map((payload) => writer.append(payload, "relaxed")),
    );
    await writer.close();
    expect((await pending).map(({ lsn }) => lsn)).toEqual([2, 3, 4]);
    expect(writer.durableLsn).toBe(4);
    disk.crash();
    expect((await recoverWal({}, disk)).recordCount).toBe(4);
  });

  it("twice is once: the same promise, no second fsync", async () => {
    const { disk, writer } = await opened();
    const closing = writer.close();
    expect(writer.close()).toBe(closing);
    await closing;
    const operations = disk.nextOperation;
    await writer.close();
    expect(disk.nextOperation).toBe(operations);
  });

  it("everything after it, and while it is under way, is rejected with KAYA_CLOSED", async () => {
    const { disk, writer } = await opened();
    const pending = writer.append(put("pending"));
    const closing = writer.close();
    const calls = () => [
      writer.append(noop),
      writer.append(noop, "relaxed"),
      writer.sync(),
      writer.ready(),
      writer.dropSegmentsBefore(1),
    ];
    for (const call of calls()) await expect(call).rejects.toMatchObject({ code: "KAYA_CLOSED" });
    await Promise.all([pending, closing]);
    const operations = disk.nextOperation;
    for (const call of calls()) await expect(call).rejects.toMatchObject({ code: "KAYA_CLOSED" });
    expect(disk.nextOperation).toBe(operations);
  });

  it("a writer that never wrote creates nothing", async () => {
    const disk = new SimDisk();
    await (await WalWriter.open({}, disk)).close();
    expect(await disk.list("")).toEqual([]);
  });

  it("lets go of its files", async () => {
    const { disk, writer } = await opened({ segmentMaxBytes: 100 });
    for (let i = 0; i < 5; i++) await writer.append(put("k", fill(30)));
    await writer.close();
    const opens = disk.events.filter(({ kind, error }) => kind === "open" && error === undefined).length;
    expect(disk.events.filter(({ kind }) => kind === "close")).toHaveLength(opens);
  });

  it("waits for a drop that is under way", async () => {
    const { writer } = await opened({ segmentMaxBytes: 100 });
    for (let i = 0; i < 3; i++) await writer.append(put("k", fill(30)));
    const drop = writer.dropSegmentsBefore(4);
    let dropped = false;
    drop.then(
      () => {
        dropped = true;
      },
      () => undefined,
    );
    await writer.close();
    await settle();
    expect(dropped).toBe(true);
  });
});

describe("isClean: whether the next writer may trust the page cache", () => {
  it("after a close that drained and synced", async () => {
    const { writer } = await opened();
    await writer.append(noop, "relaxed");
    expect(writer.isClean).toBe(false);
    await writer.close();
    expect(writer.isClean).toBe(true);
  });

  it("also after a write that was taken back", async () => {
    const { disk, writer } = await opened();
    disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 30 });
    await outcome(writer.append(noop));
    await writer.close();
    expect(writer.isClean).toBe(true);
  });

  it("never after a failed fsync, although everything acknowledged may be durable", async () => {
    const { disk, writer } = await opened({ segmentMaxBytes: 100 });
    disk.addFault({ at: disk.nextOperation, kind: "fsync-failed" }); // in the rotation, where all is durable already
    await outcome(writer.append(put("k", fill(50))));
    await writer.close();
    expect(writer.durableLsn).toBe(1);
    expect(writer.isClean).toBe(false);
  });
});
