import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { recoverWal, WalWriter } from "../src/index.js";
import { everyCrashState } from "./crash-states.js";
import {
  batch,
  diskOf,
  encodeAll,
  fill,
  imageOf,
  mutationsOf,
  noop,
  numbered,
  plain,
  put,
  QUARANTINE_DIR,
  segmentPath,
  writeLog,
} from "./support.js";

const SEGMENTS = [
  [put("a"), put("b")], //                    LSN 1, 2
  [batch(put("c"), put("d")), put("e")], //   LSN 3, 4; sequence 3, 5
  [put("f"), noop], //                        LSN 5, 6
];
const log = () => {
  const disk = new SimDisk();
  return { disk, records: writeLog(disk, SEGMENTS) };
};
const MODES = ["tail", "prefix", "absolute"] as const;

describe("R6: a log that begins after a checkpoint", () => {
  it("records up to it are skipped, wherever it is", async () => {
    for (let lsn = 0; lsn <= 6; lsn++) {
      const { disk, records } = log();
      const sequence = records[lsn]?.sequence ?? 8;
      const after = { lsn, sequence: sequence - 1 };
      const report = await recoverWal({ recovery: "absolute" }, disk, { after });
      expect(plain(report.records)).toEqual(plain(records.slice(lsn)));
      expect(report).toMatchObject({ recordCount: 6 - lsn, segments: 3, truncatedBytes: 0, warnings: [] });
      expect(report.firstLsn).toBe(lsn === 6 ? undefined : lsn + 1);
    }
  });

  it("any segments that are wholly below it may be missing", async () => {
    for (const recovery of MODES) {
      for (const missing of [[1], [2], [1, 2], []]) {
        const { disk, records } = log();
        for (const id of missing) disk.removeDurably(segmentPath(id));
        const report = await recoverWal({ recovery }, disk, { after: { lsn: 4, sequence: 5 } });
        expect(plain(report.records)).toEqual(plain(records.slice(4)));
        expect(report.warnings).toEqual([]);
        const writer = await WalWriter.open({ recovery }, disk, { after: { lsn: 4, sequence: 5 } });
        expect(await writer.append(noop)).toMatchObject({ lsn: 7, sequence: 8, segmentId: 3 });
      }
    }
  });

  it("a checkpoint in the middle of a segment needs that segment, and no other before it", async () => {
    const { disk, records } = log();
    disk.removeDurably(segmentPath(1));
    const report = await recoverWal({}, disk, { after: { lsn: 3, sequence: 4 } });
    expect(plain(report.records)).toEqual(plain(records.slice(3)));
    disk.removeDurably(segmentPath(2));
    await expect(recoverWal({}, disk, { after: { lsn: 3, sequence: 4 } })).rejects.toMatchObject({
      code: "KAYA_CORRUPTION",
    });
  });

  it("the first record above it must be the next one: a gap there is refused, or all behind it kept aside", async () => {
    for (const recovery of MODES) {
      const { disk } = log();
      for (const id of [1, 2]) disk.removeDurably(segmentPath(id));
      const before = await imageOf(disk);
      const recovering = recoverWal({ recovery }, disk, { after: { lsn: 3, sequence: 4 } });
      if (recovery === "prefix") {
        expect(await recovering).toMatchObject({
          recordCount: 0,
          segments: 0,
          quarantined: [expect.stringContaining(QUARANTINE_DIR)],
        });
        const writer = await WalWriter.open({ recovery }, disk, { after: { lsn: 3, sequence: 4 } });
        expect(await writer.append(noop)).toMatchObject({ lsn: 4, sequence: 5, segmentId: 1 });
      } else {
        await expect(recovering).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
        expect(await imageOf(disk)).toEqual(before);
        expect(mutationsOf(disk)).toEqual([]);
      }
    }
  });

  it("a gap above it is a gap as ever", async () => {
    const { disk } = log();
    disk.removeDurably(segmentPath(2));
    const recovering = recoverWal({}, disk, { after: { lsn: 1, sequence: 1 } });
    await expect(recovering).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
  });

  it("a sequence at or below the checkpoint's, above it, is refused", async () => {
    const disk = new SimDisk();
    disk.writeFile(segmentPath(1), encodeAll(numbered([put("a")], 5, 9)));
    const recovering = recoverWal({}, disk, { after: { lsn: 4, sequence: 9 } });
    await expect(recovering).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    expect((await recoverWal({}, disk, { after: { lsn: 4, sequence: 8 } })).recordCount).toBe(1);
  });

  it("an empty log goes on from there", async () => {
    const writer = await WalWriter.open({}, new SimDisk(), { after: { lsn: 41, sequence: 99 } });
    expect([writer.nextLsn, writer.nextSequence, writer.durableLsn]).toEqual([42, 100, 41]);
    expect(await writer.append(noop)).toMatchObject({ lsn: 42, sequence: 100, segmentId: 1, offset: 0 });
  });

  it("a log that ends below it goes on from there, in its last segment", async () => {
    const { disk } = log();
    const after = { lsn: 10, sequence: 20 };
    const writer = await WalWriter.open({}, disk, { after });
    expect(await writer.append(noop)).toMatchObject({ lsn: 11, sequence: 21, segmentId: 3 });
    await writer.close();
    expect((await recoverWal({ recovery: "absolute" }, disk, { after })).recordCount).toBe(1);
    await expect(recoverWal({}, disk)).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
  });

  it("damage below it is damage in every segment that has to be read", async () => {
    for (const [id, lsn] of [
      [1, 1],
      [2, 3],
    ] as const) {
      const { disk } = log();
      disk.flipBit(segmentPath(id), 50, 0);
      const recovering = recoverWal({}, disk, { after: { lsn, sequence: lsn } });
      await expect(recovering).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    }
  });

  it("an empty last segment whose forerunners were dropped goes on from there", async () => {
    for (const recovery of MODES) {
      const disk = new SimDisk();
      disk.writeFile(segmentPath(9), new Uint8Array(0));
      const writer = await WalWriter.open({ recovery }, disk, { after: { lsn: 6, sequence: 7 } });
      expect(await writer.append(noop)).toMatchObject({ lsn: 7, sequence: 8, segmentId: 9 });
      await expect(recoverWal({ recovery: "tail" }, disk)).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    }
  });

  it("an empty last segment behind a hole above it is refused", async () => {
    const { disk } = log();
    disk.writeFile(segmentPath(5), new Uint8Array(0));
    for (const lsn of [0, 5, 6]) {
      const recovering = recoverWal({}, disk, { after: { lsn, sequence: lsn } });
      await expect(recovering).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    }
  });
});

describe("dropSegmentsBefore", () => {
  /** Segments of two records each: LSN 1-2, 3-4, 5-6, 7. */
  async function sevenRecords(disk = new SimDisk()) {
    const writer = await WalWriter.open({ segmentMaxBytes: 200 }, disk);
    for (let i = 1; i <= 7; i++) await writer.append(put("k", fill(51)));
    return { disk, writer };
  }
  const ids = async (disk: SimDisk) =>
    (await disk.list("wal")).map(({ path }) => Number.parseInt(path.slice(4, 20), 16));

  for (const [lsn, left] of [
    [1, [1, 2, 3, 4]],
    [2, [1, 2, 3, 4]],
    [3, [2, 3, 4]],
    [4, [2, 3, 4]],
    [7, [4]],
    [8, [4]],
  ] as const) {
    it(`before LSN ${lsn} leaves the segments ${left}`, async () => {
      const { disk, writer } = await sevenRecords();
      expect(await writer.dropSegmentsBefore(lsn)).toBe(4 - left.length);
      expect(await ids(disk)).toEqual([...left]);
      expect(writer.size).toEqual({ segments: left.length, bytes: (left.length - 1) * 200 + 100 });
    });
  }

  it("removes the lowest first, then makes the names durable", async () => {
    const { disk, writer } = await sevenRecords();
    const from = disk.nextOperation;
    await writer.dropSegmentsBefore(7);
    expect(mutationsOf(disk, from)).toEqual([
      ...[1, 2, 3].map((id) => `remove ${segmentPath(id)}`),
      "syncDir wal",
    ]);
  });

  it("knows the segments that it found when it was opened", async () => {
    const { disk, writer } = await sevenRecords();
    await writer.close();
    const again = await WalWriter.open({ segmentMaxBytes: 200 }, disk);
    expect(await again.dropSegmentsBefore(5)).toBe(2);
    expect(await ids(disk)).toEqual([3, 4]);
  });

  it("goes on appending meanwhile, and twice at once is fine", async () => {
    const { disk, writer } = await sevenRecords();
    const results = await Promise.all([
      writer.dropSegmentsBefore(5),
      writer.append(put("k", fill(51))),
      writer.dropSegmentsBefore(7),
      writer.append(put("k", fill(51))),
    ]);
    expect([results[0], results[2]]).toEqual([2, 1]);
    expect(await ids(disk)).toEqual([4, 5]);
    await writer.close();
    expect((await recoverWal({}, disk, { after: { lsn: 6, sequence: 6 } })).recordCount).toBe(3);
  });

  it("refuses what is no LSN of the log", async () => {
    const { writer } = await sevenRecords();
    for (const lsn of [0, -1, 1.5, Number.NaN, 9]) {
      await expect(writer.dropSegmentsBefore(lsn)).rejects.toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
    }
  });

  it("a removal that fails is told, and can be tried again", async () => {
    const { disk, writer } = await sevenRecords();
    disk.addFault({ at: disk.nextOperation + 1, kind: "io-error" });
    await expect(writer.dropSegmentsBefore(7)).rejects.toMatchObject({ code: "KAYA_IO" });
    expect(await writer.dropSegmentsBefore(7)).toBe(2);
    expect(await ids(disk)).toEqual([4]);
  });

  it("R6: a crash may undo any of the removals, and the log opens after the checkpoint all the same", async () => {
    const left = new Set<string>();
    const make = async () => {
      const { disk, writer } = await sevenRecords();
      const end = disk.nextOperation + 3; // the removals are done, their names are not durable
      disk.addFault({ at: end, kind: "io-error" });
      await writer.dropSegmentsBefore(7).catch(() => undefined);
      return disk;
    };
    await everyCrashState(64, make, async (disk, state) => {
      left.add(`${await ids(disk)}`);
      for (const recovery of MODES) {
        const report = await recoverWal({ recovery }, diskOf(await imageOf(disk)), {
          after: { lsn: 6, sequence: 6 },
        });
        expect(report, state).toMatchObject({ recordCount: 1, firstLsn: 7, warnings: [] });
      }
    });
    expect(left.size).toBe(8);
  });
});
