import type { DiskFile, OpenOptions } from "@kaya/io";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { recoverWal, WalWriter } from "../src/index.js";
import { fill, noop, PassingDisk, plain, put, segmentPath, writeLog } from "./support.js";

const LONG = fill(2000);
const SEGMENTS = [
  [put("a", LONG), put("b", LONG)], // LSN 1, 2
  [put("c", LONG), put("d", LONG)], // LSN 3, 4
  [put("e", LONG), put("f", LONG)], // LSN 5, 6
  [put("g", LONG)], //                 LSN 7
];
const log = () => {
  const disk = new SimDisk();
  return { disk, records: writeLog(disk, SEGMENTS) };
};

/** Counts the bytes that are asked for, by segment. */
class CountingDisk extends PassingDisk {
  readonly bytes = new Map<string, number>();

  override async open(path: string, options?: OpenOptions): Promise<DiskFile> {
    const file = await this.inner.open(path, options);
    const readAt = async (position: number, into: Uint8Array) => {
      const read = await file.readAt(position, into);
      this.bytes.set(path, (this.bytes.get(path) ?? 0) + read);
      return read;
    };
    return new Proxy(file, {
      get: (target, key) => {
        if (key === "readAt") return readAt;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}

describe("segments that the checkpoint covers whole", () => {
  it("are not read behind their first header; those behind them are, from the first record on", async () => {
    for (const [lsn, covered] of [
      [1, 0],
      [2, 1],
      [3, 1],
      [4, 2],
      [6, 3],
      [7, 3],
    ] as const) {
      const { disk, records } = log();
      const counting = new CountingDisk(disk);
      const report = await recoverWal({}, counting, { dryRun: true, after: { lsn, sequence: lsn } });
      expect(report).toMatchObject({ coveredSegments: covered, segments: 4, warnings: [] });
      expect(plain(report.records)).toEqual(plain(records.slice(lsn)));
      const read = [1, 2, 3, 4].map((id) => (counting.bytes.get(segmentPath(id)) ?? 0) <= 40);
      expect(read).toEqual([1, 2, 3, 4].map((id) => id <= covered));
    }
  });

  it("may be damaged behind it: a follower that reads them is told, nobody else", async () => {
    const { disk } = log();
    disk.flipBit(segmentPath(1), 1000, 0);
    const writer = await WalWriter.open({}, disk, { after: { lsn: 6, sequence: 6 } });
    expect(writer.recovery.warnings).toEqual([]);
    await expect(writer.follow().next()).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    expect((await writer.follow({ after: 2 }).next()).value).toMatchObject({ lsn: 3 });
    await writer.close();
  });

  it("are read where a first header is damaged, or does not come behind the one before", async () => {
    const damaged = log().disk;
    damaged.flipBit(segmentPath(2), 20, 0);
    const twice = log().disk;
    twice.writeFile(segmentPath(2), twice.readFile(segmentPath(1)) ?? new Uint8Array(0));
    for (const disk of [damaged, twice]) {
      const recovering = recoverWal({}, disk, { after: { lsn: 6, sequence: 6 } });
      await expect(recovering).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    }
  });

  it("are dropped and followed as ever", async () => {
    const { disk } = log();
    const writer = await WalWriter.open({}, disk, { after: { lsn: 6, sequence: 6 } });
    expect(writer.size.segments).toBe(4);
    const lsns: number[] = [];
    for await (const { lsn } of writer.follow()) if (lsns.push(lsn) === 7) break;
    expect(lsns).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await writer.dropSegmentsBefore(7, { from: 4, maxBytes: 1e6 })).toBe(1);
    expect(writer.beginsAfter).toBe(2);
    expect(await writer.dropSegmentsBefore(7)).toBe(2);
    expect(writer.beginsAfter).toBe(6);
    await writer.close();
  });

  it("between which one is missing: the log begins behind the hole", async () => {
    const { disk } = log();
    disk.removeDurably(segmentPath(2));
    const writer = await WalWriter.open({}, disk, { after: { lsn: 6, sequence: 6 } });
    expect([writer.recovery.coveredSegments, writer.beginsAfter]).toEqual([2, 4]);
    await writer.close();
  });

  // After `prefix` cut a covered segment: the log goes on in it behind the checkpoint.
  it("in which covered records are missing: who follows is told that they are not there any more", async () => {
    const disk = new SimDisk();
    writeLog(disk, [[noop, noop]]);
    const after = { lsn: 5, sequence: 5 };
    const gap = await WalWriter.open({}, disk, { after });
    await gap.append(noop);
    await gap.rotate();
    await gap.append(noop);
    await gap.close();
    const writer = await WalWriter.open({}, disk, { after: { lsn: 6, sequence: 6 } });
    expect(writer.recovery.coveredSegments).toBe(1);
    await expect(writer.follow({ after: 2 }).next()).rejects.toMatchObject({ code: "KAYA_LOG_TRUNCATED" });
    await writer.close();
  });
});
