import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { recoverWal, WalWriter } from "../src/index.js";
import { diskOf, fill, imageOf, mutationsOf, noop, plain, put, segmentPath } from "./support.js";

const [ONE, TWO, THREE] = [segmentPath(1), segmentPath(2), segmentPath(3)];
const record = (key: string) => put(key, fill(51)); // 100 bytes for a key of one letter

describe("segments", () => {
  it("a record that does not fit begins the next one, at offset 0; none spans two", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({ segmentMaxBytes: 250 }, disk);
    const results = await Promise.all(["a", "b", "c", "d", "e"].map((key) => writer.append(record(key))));
    expect(results.map(({ segmentId, offset }) => [segmentId, offset])).toEqual([
      [1, 0],
      [1, 100],
      [2, 0],
      [2, 100],
      [3, 0],
    ]);
    expect(await disk.list("wal")).toMatchObject([
      { path: ONE, length: 200 },
      { path: TWO, length: 200 },
      { path: THREE, length: 100 },
    ]);
    expect(writer.size).toEqual({ segments: 3, bytes: 500 });
  });

  it("one is filled to the last byte before the next one begins", async () => {
    const writer = await WalWriter.open({ segmentMaxBytes: 200 }, new SimDisk());
    const results = await Promise.all(["a", "b", "c"].map((key) => writer.append(record(key))));
    expect(results.map(({ segmentId }) => segmentId)).toEqual([1, 1, 2]);
  });

  it("the first is created by the first append, not by opening", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    expect(await disk.list("")).toEqual([]);
    expect(writer.size).toEqual({ segments: 0, bytes: 0 });
    await writer.append(noop);
    expect((await disk.list("wal")).map(({ path }) => path)).toEqual([ONE]);
  });
});

describe("the order of the disk's operations", () => {
  it("W2: the names of a new segment and of wal/ are durable before anything in it is acknowledged", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    await writer.append(noop);
    expect(mutationsOf(disk)).toEqual([
      `open ${ONE}`,
      "syncDir wal",
      "syncDir ",
      `append ${ONE}`,
      `sync ${ONE}`,
    ]);
  });

  for (const mode of ["strict", "relaxed"] as const) {
    it(`W1: a closed segment is durable before the next is created (${mode})`, async () => {
      const disk = new SimDisk();
      const writer = await WalWriter.open({ segmentMaxBytes: 100 }, disk);
      await writer.append(record("a"), mode);
      const from = disk.nextOperation;
      await writer.append(record("b"), mode);
      expect(mutationsOf(disk, from)).toEqual([
        `sync ${ONE}`,
        "syncDir wal",
        `open ${TWO}`,
        "syncDir wal",
        `append ${TWO}`,
        ...(mode === "strict" ? [`sync ${TWO}`] : []),
      ]);
      expect(writer.durableLsn).toBe(mode === "strict" ? 2 : 1);
    });
  }

  it("W1: whenever a segment is there, all before it are on stable storage whole", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({ segmentMaxBytes: 250, maxBatchBytes: 150 }, disk);
    for (let i = 0; i < 20; i++) {
      await writer.append(record("k"), "relaxed");
      const segments = await disk.list("wal");
      for (const { path, length } of segments.slice(0, -1))
        expect(disk.stableFile(path)).toHaveLength(length);
    }
  });

  it("W2: also after wal/ was made by a process that was killed before it synced anything", async () => {
    for (let at = 1; at < 4; at++) {
      const disk = new SimDisk({ faults: [{ at, kind: "fsync-failed" }] });
      const first = await WalWriter.open({}, disk);
      await first.append(noop).catch(() => undefined);
      disk.killProcess();
      const second = await WalWriter.open({}, disk);
      const { lsn } = await second.append(put("strict"));
      disk.crash();
      expect((await recoverWal({}, disk)).lastLsn).toBe(lsn);
    }
  });
});

describe("reopening", () => {
  it("goes on behind the last record, in its segment", async () => {
    const disk = new SimDisk();
    const first = await WalWriter.open({}, disk);
    await first.append(record("a"));
    await first.close();
    const second = await WalWriter.open({}, disk);
    expect(second.recovery).toMatchObject({ recordCount: 1, lastLsn: 1, lastSequence: 1 });
    expect([second.nextLsn, second.nextSequence, second.durableLsn]).toEqual([2, 2, 1]);
    expect(await second.append(record("b"))).toMatchObject({ lsn: 2, segmentId: 1, offset: 100 });
  });

  it("goes on in an empty last segment", async () => {
    const disk = new SimDisk();
    disk.writeFile(ONE, new Uint8Array(0));
    const writer = await WalWriter.open({}, disk);
    expect(await writer.append(record("a"))).toMatchObject({ lsn: 1, segmentId: 1, offset: 0 });
  });

  it("with smaller segments begins a new one, and reads the larger ones", async () => {
    const disk = new SimDisk();
    const first = await WalWriter.open({ segmentMaxBytes: 1000 }, disk);
    for (let i = 0; i < 5; i++) await first.append(record("k"));
    await first.close();
    const second = await WalWriter.open({ segmentMaxBytes: 100 }, disk);
    expect(await second.append(record("k"))).toMatchObject({ lsn: 6, segmentId: 2, offset: 0 });
    await second.close();
    expect((await recoverWal({ segmentMaxBytes: 100 }, disk)).recordCount).toBe(6);
  });

  it("streams what it recovers to onRecord, once", async () => {
    const disk = new SimDisk();
    const first = await WalWriter.open({}, disk);
    await first.append(record("a"));
    await first.close();
    const seen: string[] = [];
    const second = await WalWriter.open({}, disk, { onRecord: (found) => seen.push(...plain([found])) });
    await second.append(record("b"));
    expect(seen).toHaveLength(1);
    expect(second.recovery.records).toEqual([]);
  });

  it("R5: writes the tail again, unless the page cache can be trusted", async () => {
    const disk = new SimDisk();
    const first = await WalWriter.open({ segmentMaxBytes: 100 }, disk);
    for (const key of ["a", "b"]) await first.append(record(key));
    await first.close();
    const image = await imageOf(disk);

    const distrustful = diskOf(image);
    await WalWriter.open({}, distrustful);
    const rewrite = ["remove", "open", "append", "sync", "rename"].map((kind) => `${kind} ${TWO}.tmp`);
    const closed = "sync wal/0000000000000001.wal";
    const emptied = `truncate ${TWO}`; // the old file, which has no name any more
    expect(mutationsOf(distrustful)).toEqual([closed, ...rewrite, "syncDir wal", "syncDir ", emptied]);

    const trusting = diskOf(image);
    await WalWriter.open({}, trusting, { trustPageCache: true });
    expect(mutationsOf(trusting)).toEqual([`sync ${TWO}`, "syncDir wal", "syncDir "]);
    for (const reopened of [distrustful, trusting]) expect(await imageOf(reopened)).toEqual(image);
  });

  it("R5: what a failed fsync left in the page cache is on the disk before anything new is acknowledged", async () => {
    const disk = new SimDisk();
    const first = await WalWriter.open({}, disk);
    await first.append(record("a"));
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed", outcome: "readable-until-crash" });
    await expect(first.append(record("b"))).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    disk.killProcess();
    const second = await WalWriter.open({}, disk);
    expect((await second.append(record("c"))).lsn).toBe(3);
    disk.crash();
    expect((await recoverWal({}, disk)).recordCount).toBe(3);
  });
});
