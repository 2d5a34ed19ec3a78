import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { type WalRecord, WalWriter } from "../src/index.js";
import { CountingDisk, HALF_A_SEGMENT, logOf, Reader, TWO_A_SEGMENT, take, upTo } from "./followed.js";
import { batch, fill, noop, outcome, plain, put, putUntil, segmentPath, settle } from "./support.js";

describe("a follower", () => {
  it("gives what is there, then what comes, in order, each once", async () => {
    const writer = await logOf(7, new SimDisk());
    const reader = new Reader(writer.follow());
    await settle();
    expect(reader.lsns).toEqual(upTo(7));
    for (let i = 0; i < 5; i++) await writer.append(HALF_A_SEGMENT);
    await settle();
    expect(reader.lsns).toEqual(upTo(12));
  });

  it("begins behind any LSN, whether its segment is closed, open or not there yet", async () => {
    const writer = await logOf(7, new SimDisk());
    const readers = upTo(7, 0).map((after) => new Reader(writer.follow({ after })));
    for (let i = 0; i < 4; i++) await writer.append(HALF_A_SEGMENT);
    await settle();
    for (const [after, reader] of readers.entries()) expect(reader.lsns).toEqual(upTo(11, after + 1));
  });

  it("gives records as they were appended, batches whole", async () => {
    const writer = await WalWriter.open({}, new SimDisk());
    const payloads = [
      put("a", "1"),
      noop,
      batch(put("b"), putUntil(7, "c")),
      put("empty", ""),
      put("é", fill(3000)),
      putUntil(1_767_225_600_000, "d"),
    ];
    for (const payload of payloads) await writer.append(payload);
    const follower = writer.follow();
    const records: WalRecord[] = [];
    for (let i = 0; i < payloads.length; i++) records.push((await follower.next()).value as WalRecord);
    expect(plain(records)).toEqual(
      plain(payloads.map((payload, i) => ({ lsn: i + 1, sequence: [1, 2, 3, 5, 6, 7][i] ?? 0, payload }))),
    );
  });

  it("follows a log that has no segment yet", async () => {
    const writer = await WalWriter.open({}, new SimDisk());
    const reader = new Reader(writer.follow());
    await settle();
    await writer.append(noop);
    await settle();
    expect(reader.lsns).toEqual([1]);
  });

  it("waits while a full disk keeps the tail from being finished, also where a checkpoint covers part of it", async () => {
    const disk = new SimDisk();
    const before = await WalWriter.open({}, disk);
    for (let i = 0; i < 3; i++) await before.append(noop);
    await before.close();
    disk.addFault({ at: disk.nextOperation + 1, kind: "disk-full" }); // behind the removal of a leftover
    const writer = await WalWriter.open({}, disk, { after: { lsn: 2, sequence: 2 } });
    expect(writer.durableLsn).toBe(2);
    const reader = new Reader(writer.follow());
    await settle();
    expect(reader.lsns).toEqual([]);
    await writer.append(noop);
    await settle();
    expect(reader.lsns).toEqual([1, 2, 3, 4]);
    await writer.close();
  });

  it("gives nothing before it is durable: not relaxed records, not what is being synced", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    const reader = new Reader(writer.follow());
    await writer.append(noop);
    await writer.append(noop, "relaxed");
    await writer.append(noop, "relaxed");
    await settle();
    expect(reader.lsns).toEqual([1]);
    await writer.sync();
    await settle();
    expect(reader.lsns).toEqual([1, 2, 3]);
    await writer.append(noop, "relaxed");
    await writer.rotate(); // W1 makes it durable
    await settle();
    expect(reader.lsns).toEqual([1, 2, 3, 4]);
  });

  it("goes on over rotations that come while it stands at a segment's end", async () => {
    const writer = await logOf(2, new SimDisk());
    const reader = new Reader(writer.follow());
    await settle();
    await writer.rotate();
    await settle();
    await writer.append(HALF_A_SEGMENT);
    await settle();
    await writer.rotate();
    await writer.rotate();
    await writer.append(HALF_A_SEGMENT);
    await settle();
    expect(reader.lsns).toEqual(upTo(4));
  });

  it("never sees what a failed write left and was taken back, and then sees what got its LSN", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    const reader = new Reader(writer.follow());
    await writer.append(put("before"));
    disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 60 });
    expect(await outcome(writer.append(put("failed")))).toMatchObject({ error: { code: "KAYA_DISK_FULL" } });
    await settle();
    expect(reader.lsns).toEqual([1]);
    await writer.append(put("instead"));
    await settle();
    expect(plain(reader.records)).toEqual([
      "1/1 put before=value of before",
      "2/2 put instead=value of instead",
    ]);
  });

  it("settles calls of next that were made together in their order", async () => {
    const writer = await logOf(3, new SimDisk());
    const follower = writer.follow();
    const results = Array.from({ length: 5 }, () => follower.next());
    await writer.append(HALF_A_SEGMENT);
    await writer.append(HALF_A_SEGMENT);
    expect((await Promise.all(results)).map(({ value }) => value?.lsn)).toEqual(upTo(5));
  });

  it("gives records larger than what is read at once", async () => {
    const writer = await WalWriter.open({}, new SimDisk());
    const lengths = [10, 300_000, 5, 256 * 1024, 1_000_000, 1];
    for (const length of lengths) await writer.append(put("k", fill(length)));
    const reader = new Reader(writer.follow());
    await settle();
    expect(reader.records.map(({ payload }) => payload.type === "put" && payload.value.length)).toEqual(
      lengths,
    );
  });
});

describe("segments that are dropped beside a follower", () => {
  it("stay readable where one of them is being read", async () => {
    const writer = await logOf(7, new SimDisk());
    const follower = writer.follow({ after: 4 });
    expect(await take(follower, 1)).toEqual([5]); // in the third segment, of 5 and 6
    expect(await writer.dropSegmentsBefore(7)).toBe(3);
    expect(await take(follower, 2)).toEqual([6, 7]);
  });

  it("end one that has not got to them with KAYA_LOG_TRUNCATED, and its file is let go of", async () => {
    const disk = new CountingDisk(new SimDisk());
    const writer = await logOf(7, disk);
    const follower = writer.follow();
    expect(await take(follower, 1)).toEqual([1]);
    await writer.dropSegmentsBefore(7);
    expect(await take(follower, 1)).toEqual([2]);
    await expect(follower.next()).rejects.toMatchObject({
      code: "KAYA_LOG_TRUNCATED",
      message: expect.stringContaining("LSN 2"),
    });
    expect(await follower.next()).toEqual({ done: true, value: undefined });
    expect(disk.openFiles).toBe(0);
  });

  it("are told to whoever asks for them later", async () => {
    const writer = await logOf(7, new SimDisk());
    await writer.dropSegmentsBefore(5);
    expect(() => writer.follow({ after: 3 })).toThrow(
      expect.objectContaining({ code: "KAYA_LOG_TRUNCATED" }),
    );
    expect(await take(writer.follow({ after: 4 }), 3)).toEqual([5, 6, 7]);
  });

  it("are known to be gone when the log is opened again, also where a crash took only some of them", async () => {
    for (const gone of [[1], [2], [1, 2]]) {
      const disk = new SimDisk();
      await (await logOf(7, disk)).close();
      for (const id of gone) disk.removeDurably(segmentPath(id));
      const writer = await WalWriter.open(TWO_A_SEGMENT, disk, { after: { lsn: 4, sequence: 4 } });
      const first = 2 * Math.max(...gone);
      expect(() => writer.follow({ after: first - 1 })).toThrow(
        expect.objectContaining({ code: "KAYA_LOG_TRUNCATED" }),
      );
      expect(await take(writer.follow({ after: first }), 7 - first)).toEqual(upTo(7, first + 1));
    }
  });

  it("is what a log is that ends below its checkpoint: it is followed from there on", async () => {
    const disk = new SimDisk();
    await (await logOf(5, disk)).close();
    const writer = await WalWriter.open(TWO_A_SEGMENT, disk, { after: { lsn: 9, sequence: 9 } });
    expect(() => writer.follow({ after: 5 })).toThrow(
      expect.objectContaining({ code: "KAYA_LOG_TRUNCATED" }),
    );
    const reader = new Reader(writer.follow({ after: 9 }));
    await writer.append(HALF_A_SEGMENT);
    await writer.append(HALF_A_SEGMENT);
    await settle();
    expect(reader.lsns).toEqual([10, 11]);
  });

  it("stay where they are to be kept, as far as the bound goes", async () => {
    const writer = await logOf(9, new SimDisk());
    expect(await writer.dropSegmentsBefore(9, { from: 3, maxBytes: 10_000 })).toBe(1);
    expect(writer.keptBytes).toBe(600);
    expect(await writer.dropSegmentsBefore(9, { from: 3, maxBytes: 599 })).toBe(1);
    expect(writer.keptBytes).toBe(400);
    expect(await writer.dropSegmentsBefore(9, { from: 6, maxBytes: 400 })).toBe(0);
    expect(await writer.dropSegmentsBefore(7, { from: 9, maxBytes: 400 })).toBe(1);
    expect(writer.keptBytes).toBe(0);
    expect(writer.size.segments).toBe(2);
    expect(await writer.dropSegmentsBefore(9)).toBe(1);
  });
});

describe("a follower ends", () => {
  it("when the log fails: with all that is durable, then KAYA_WRITER_FAILED with the cause", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    const slow = writer.follow();
    const reader = new Reader(writer.follow());
    await writer.append(put("a"));
    await writer.append(put("b"));
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    await expect(writer.append(put("lost"))).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    await reader.over;
    expect(reader.lsns).toEqual([1, 2]);
    expect(reader.error).toMatchObject({ code: "KAYA_WRITER_FAILED", cause: { code: "KAYA_FSYNC_FAILED" } });
    expect(await take(slow, 2)).toEqual([1, 2]);
    await expect(slow.next()).rejects.toMatchObject({ code: "KAYA_WRITER_FAILED" });
  });

  it("when the writer is closed: with KAYA_CLOSED, wherever it stands, and nothing is left open", async () => {
    const disk = new CountingDisk(new SimDisk());
    const writer = await logOf(5, disk);
    const unread = writer.follow();
    const waiting = new Reader(writer.follow());
    const slow = writer.follow();
    await take(slow, 1);
    const reading = writer.follow().next();
    await settle();
    await writer.close();
    await waiting.over;
    expect(waiting.error).toMatchObject({ code: "KAYA_CLOSED" });
    await expect(slow.next()).rejects.toMatchObject({ code: "KAYA_CLOSED" });
    expect(await slow.next()).toMatchObject({ done: true });
    await expect(unread.next()).rejects.toMatchObject({ code: "KAYA_CLOSED" });
    expect((await reading).value?.lsn).toBe(1);
    expect(disk.openFiles).toBe(0);
    expect(() => writer.follow()).toThrow(expect.objectContaining({ code: "KAYA_CLOSED" }));
  });

  it("when its loop is left, or return is called while it waits", async () => {
    const disk = new CountingDisk(new SimDisk());
    const writer = await logOf(5, disk);
    for await (const record of writer.follow()) if (record.lsn === 3) break;
    expect(disk.openFiles).toBe(0);
    const follower = writer.follow({ after: 4 });
    await take(follower, 1);
    const waiting = [follower.next(), follower.next()];
    await settle();
    expect(await follower.return()).toEqual({ done: true, value: undefined });
    for (const next of waiting) expect(await next).toEqual({ done: true, value: undefined });
    expect(disk.openFiles).toBe(0);
    await writer.append(HALF_A_SEGMENT); // nobody is woken that is gone
  });

  it("with the reason that it was ended for, told once", async () => {
    const writer = await logOf(1, new SimDisk());
    const follower = writer.follow({ after: 1 });
    const waiting = follower.next();
    const reason = new Error("enough");
    await Promise.all([expect(waiting).rejects.toBe(reason), follower.end(reason)]);
    expect(await follower.next()).toMatchObject({ done: true });
  });

  it("at damage: with what stands before it, then KAYA_CORRUPTION with file and offset", async () => {
    for (const [lsn, offset] of [
      [1, 0],
      [4, 100],
      [5, 0],
      [7, 0],
    ] as const) {
      const disk = new SimDisk();
      const writer = await logOf(7, disk);
      const path = segmentPath(Math.ceil(lsn / 2));
      disk.flipBit(path, offset + 60, 3);
      const reader = new Reader(writer.follow());
      await reader.over;
      expect(reader.lsns).toEqual(upTo(lsn - 1));
      expect(reader.error).toMatchObject({
        code: "KAYA_CORRUPTION",
        message: expect.stringMatching(`${path}: offset ${offset}: `),
      });
    }
  });

  it("at a record that is not the next one, and where a segment ends too early", async () => {
    const swapped = new SimDisk();
    const writer = await logOf(7, swapped);
    swapped.writeFile(segmentPath(2), swapped.readFile(segmentPath(3)) ?? new Uint8Array());
    const reader = new Reader(writer.follow());
    await reader.over;
    expect(reader.lsns).toEqual([1, 2]);
    expect(reader.error).toMatchObject({
      code: "KAYA_CORRUPTION",
      message: expect.stringContaining("LSN 3 must follow"),
    });
  });

  it("at a failed read, which is never the end of the log", async () => {
    const disk = new SimDisk();
    const writer = await logOf(7, disk);
    disk.breakRange(segmentPath(2), 0, 200);
    const reader = new Reader(writer.follow());
    await reader.over;
    expect([reader.lsns, reader.error]).toMatchObject([[1, 2], { code: "KAYA_IO" }]);
  });

  it("before it began, where the caller is mistaken", async () => {
    const writer = await logOf(3, new SimDisk());
    for (const after of [-1, 1.5, Number.NaN, "1" as unknown as number])
      expect(() => writer.follow({ after })).toThrow(
        expect.objectContaining({ code: "KAYA_INVALID_ARGUMENT" }),
      );
    await writer.append(noop, "relaxed");
    expect(() => writer.follow({ after: 4 })).toThrow(
      expect.objectContaining({
        code: "KAYA_LOG_TRUNCATED",
        message: expect.stringContaining("the log ends at LSN 3"),
      }),
    );
  });
});

describe("what following costs", () => {
  it("is one buffer, however far behind it is and whatever is written meanwhile, and no byte is read twice", async () => {
    const disk = new CountingDisk(new SimDisk());
    const writer = await WalWriter.open({}, disk);
    const value = fill(1000);
    for (let i = 0; i < 2000; i++) void writer.append(put("k", value), "relaxed");
    await writer.sync();
    const follower = writer.follow();
    const lsns: number[] = [];
    for (let i = 0; i < 2000; i++) {
      lsns.push(...(await take(follower, 1)));
      if (i % 20 === 0) await writer.append(put("k", value));
    }
    lsns.push(...(await take(follower, 100)));
    expect(lsns).toEqual(upTo(2100));
    expect(disk.largestRead).toBe(256 * 1024);
    // Where a buffer ends inside a record, that record is read again.
    expect(disk.bytesRead).toBeLessThan(writer.size.bytes * 1.05);
  });

  it("is nothing before its first record is asked for, and no reading of what is behind it where it begins at the end", async () => {
    const disk = new CountingDisk(new SimDisk());
    const writer = await WalWriter.open({}, disk);
    for (let i = 0; i < 100; i++) await writer.append(put("k", fill(1000)));
    for (let i = 0; i < 100; i++) writer.follow();
    expect(disk.opened).toBe(0);
    const reader = new Reader(writer.follow({ after: 100 }));
    await writer.append(put("k"));
    await settle();
    expect(reader.lsns).toEqual([101]);
    expect(disk.bytesRead).toBeLessThan(100);
  });

  it("is no file more than there are followers, and none once they are gone", async () => {
    const disk = new CountingDisk(new SimDisk());
    const writer = await logOf(20, disk);
    const readers = upTo(50).map((i) => new Reader(writer.follow({ after: i % 20 })));
    await settle();
    for (let i = 0; i < 10; i++) await writer.append(HALF_A_SEGMENT);
    await settle();
    for (const [i, reader] of readers.entries()) expect(reader.lsns).toEqual(upTo(30, ((i + 1) % 20) + 1));
    expect(disk.openFiles).toBeLessThanOrEqual(50);
    await writer.close();
    expect(disk.openFiles).toBe(0);
  });
});

describe("where a full disk keeps the tail from being finished", () => {
  it("gives what is durable, and the rest once there is room", async () => {
    const disk = new SimDisk();
    const before = await logOf(4, disk);
    await before.append(HALF_A_SEGMENT, "relaxed");
    disk.killProcess();
    const free = disk.nextOperation;
    for (let at = free; at < free + 20; at++) disk.addFault({ at, kind: "disk-full" });
    const writer = await WalWriter.open(TWO_A_SEGMENT, disk);
    expect(writer.durableLsn).toBe(4);
    const reader = new Reader(writer.follow());
    const atEnd = new Reader(writer.follow({ after: 5 }));
    await settle();
    expect(reader.lsns).toEqual(upTo(4));
    while (disk.nextOperation < free + 20) await outcome(writer.append(HALF_A_SEGMENT));
    await writer.append(HALF_A_SEGMENT);
    await settle();
    expect(reader.lsns).toEqual(upTo(6));
    expect(atEnd.lsns).toEqual([6]);
  });
});
