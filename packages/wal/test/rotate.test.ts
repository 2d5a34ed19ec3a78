import { KayaError } from "@kaya/core";
import type { FaultRule } from "@kaya/io";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { recoverWal, WalWriter, type WalWriterOptions } from "../src/index.js";
import { mutationsOf, noop, outcome, put, segmentPath } from "./support.js";

const [ONE, TWO] = [segmentPath(1), segmentPath(2)];

async function lengths(disk: SimDisk): Promise<number[]> {
  return (await disk.list("wal")).map(({ length }) => length);
}

/** The LSNs that are left when the power goes. */
async function lsnsAfterPowerCut(disk: SimDisk): Promise<number[]> {
  const left = disk.fork();
  left.crash();
  return (await recoverWal({}, left)).records.map(({ record }) => record.lsn);
}

const open = (disk: SimDisk, options: WalWriterOptions = {}) => WalWriter.open({}, disk, options);

describe("rotate", () => {
  it("closes the segment behind what was appended, as a full one is closed, and creates the next (W1)", async () => {
    const disk = new SimDisk();
    const writer = await open(disk);
    await writer.append(noop);
    const from = disk.nextOperation;
    await writer.rotate();
    expect(mutationsOf(disk, from).slice(0, 4)).toEqual([
      `sync ${ONE}`,
      "syncDir wal",
      `open ${TWO}`,
      "syncDir wal",
    ]);
    expect(await lengths(disk)).toEqual([40, 0]);
    expect(writer.size).toEqual({ segments: 2, bytes: 40 });
    expect(await writer.append(noop)).toMatchObject({ lsn: 2, segmentId: 2, offset: 0 });
    await writer.close();
    expect(await lsnsAfterPowerCut(disk)).toEqual([1, 2]);
  });

  it("makes all that was appended before it durable, strict or relaxed, written or pending", async () => {
    const disk = new SimDisk();
    const applied: number[] = [];
    const writer = await open(disk, { onCommit: ({ lsn }) => applied.push(lsn) });
    await writer.append(put("written"), "relaxed");
    const before = [
      writer.append(put("a"), "relaxed"),
      writer.append(put("b")),
      writer.append(put("c"), "relaxed"),
    ];
    const rotated = writer.rotate();
    const after = [writer.append(put("d"), "relaxed"), writer.append(put("e"))];
    await rotated;
    expect(applied.slice(0, 4)).toEqual([1, 2, 3, 4]);
    expect(writer.durableLsn).toBeGreaterThanOrEqual(4);
    expect((await lsnsAfterPowerCut(disk)).slice(0, 4)).toEqual([1, 2, 3, 4]);
    expect((await Promise.all(before)).map(({ segmentId }) => segmentId)).toEqual([1, 1, 1]);
    expect((await Promise.all(after)).map(({ segmentId, offset }) => [segmentId, offset > 0])).toEqual([
      [2, false],
      [2, true],
    ]);
    await writer.close();
  });

  it("leaves an empty segment as it is, and makes none where there is none", async () => {
    const disk = new SimDisk();
    const writer = await open(disk);
    await writer.rotate();
    expect(await disk.list("")).toEqual([]);
    await writer.append(noop);
    await writer.rotate();
    const from = disk.nextOperation;
    await writer.rotate();
    expect(mutationsOf(disk, from)).toEqual([]);
    expect(await lengths(disk)).toEqual([40, 0]);
    await writer.close();
    const reopened = await open(disk, { trustPageCache: true });
    await reopened.rotate();
    expect(await lengths(disk)).toEqual([40, 0]);
    await reopened.close();
  });

  it("is one rotation for several calls with nothing between them, and one each with something", async () => {
    const disk = new SimDisk();
    const writer = await open(disk);
    void writer.append(noop);
    await Promise.all([writer.rotate(), writer.rotate()]);
    expect(await lengths(disk)).toEqual([40, 0]);
    void writer.append(noop);
    const first = writer.rotate();
    void writer.append(noop);
    await Promise.all([first, writer.rotate()]);
    expect(await lengths(disk)).toEqual([40, 40, 40, 0]);
    await writer.close();
  });

  it("goes on in the segment after a reopening, also in one that is left empty", async () => {
    const disk = new SimDisk();
    const writer = await open(disk);
    await writer.append(noop);
    await writer.rotate();
    await writer.close();
    disk.crash();
    const reopened = await open(disk);
    expect(reopened.recovery).toMatchObject({ segments: 2, recordCount: 1 });
    expect(await reopened.append(noop)).toMatchObject({ lsn: 2, segmentId: 2 });
    await reopened.close();
  });

  it("rejects on a closed writer and on a failed one", async () => {
    const closed = await open(new SimDisk());
    await closed.close();
    await expect(closed.rotate()).rejects.toMatchObject({ code: "KAYA_CLOSED" });
    const failed = await open(new SimDisk({ faults: [{ at: 4, kind: "fsync-failed" }] }));
    await expect(failed.append(noop)).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    await expect(failed.rotate()).rejects.toMatchObject({ code: "KAYA_WRITER_FAILED" });
  });
});

describe("a fault at an operation of a rotation", () => {
  const kinds: readonly FaultRule["kind"][] = ["io-error", "disk-full", "fsync-failed", "partial-write"];

  /** Where a rotation's operations are, with nothing going wrong. */
  async function operations(): Promise<{ from: number; to: number }> {
    const disk = new SimDisk();
    const { from, done } = await rotation(disk);
    await done;
    return { from, to: disk.nextOperation };
  }

  async function rotation(disk: SimDisk) {
    const writer = await open(disk);
    await writer.append(put("strict"));
    await writer.append(put("relaxed"), "relaxed");
    const from = disk.nextOperation;
    const rotated = outcome(writer.rotate());
    const behind = outcome(writer.append(put("behind")));
    return { writer, from, done: Promise.all([rotated, behind]) };
  }

  it.each(kinds)("loses nothing that was acknowledged, and can be made up for: %s", async (kind) => {
    const { from, to } = await operations();
    let failures = 0;
    for (let at = from; at < to; at++) {
      const rule = kind === "partial-write" ? { at, kind, bytes: 7 } : ({ at, kind } as FaultRule);
      const disk = new SimDisk({ faults: [rule] });
      const { writer, done } = await rotation(disk);
      const [rotated, behind] = await done;
      const where = `${kind} at ${at}`;
      if ("error" in rotated) {
        failures++;
        expect(KayaError.is(rotated.error), where).toBe(true);
        // One batch, one fate.
        expect("error" in behind, where).toBe(true);
      }
      const isFinal = writer.failure !== undefined;
      if ("error" in rotated && !isFinal) {
        // What was taken back: the writer goes on where it was, and the same rotation succeeds.
        await writer.rotate();
        expect((await writer.append(put("again"))).lsn, where).toBe(3);
      }
      const lsns = await lsnsAfterPowerCut(disk);
      expect(lsns.slice(0, 1), where).toEqual([1]);
      if (!isFinal) expect(lsns, where).toEqual([1, 2, 3]);
      await writer.close().catch(() => undefined);
      // The directory opens, and goes on.
      disk.killProcess();
      const reopened = await open(disk);
      await reopened.append(put("reopened"));
      await reopened.close();
      const { records } = await recoverWal({}, disk);
      expect(
        records.map(({ record }) => record.lsn),
        where,
      ).toEqual(records.map((_, i) => i + 1));
    }
    expect(failures).toBeGreaterThan(0);
  });
});

describe("rotating while segments are dropped", () => {
  it("drops what the rotation closed and nothing behind it, in either order", async () => {
    const disk = new SimDisk();
    const writer = await open(disk);
    for (let round = 0; round < 10; round++) {
      const { lsn } = await writer.append(put(`round ${round}`));
      const rotated = writer.rotate();
      // Before the rotation is done its segment is the open one: only those of earlier rounds are dropped.
      const early = writer.dropSegmentsBefore(lsn + 1);
      const behind = writer.append(put("behind"), "relaxed");
      await rotated;
      const dropped = (await early) + (await writer.dropSegmentsBefore(lsn + 1));
      expect(dropped).toBe(1);
      await behind;
      expect(writer.size.segments).toBe(1);
    }
    const last = writer.nextLsn - 1;
    await writer.close();
    const { firstLsn, lastLsn } = await recoverWal({ recovery: "absolute" }, disk, {
      after: { lsn: last - 1, sequence: last - 1 },
    });
    expect([firstLsn, lastLsn]).toEqual([last, last]);
  });

  it("loses none of what is appended meanwhile, at any size of segments", async () => {
    for (const segmentMaxBytes of [100, 200, 1000]) {
      const disk = new SimDisk({ unhurried: true });
      const writer = await WalWriter.open({ segmentMaxBytes, maxRecordBytes: 100 }, disk);
      let covered = 0;
      const appends: Promise<unknown>[] = [];
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < 3; i++) appends.push(writer.append(put("k"), i === 1 ? "strict" : "relaxed"));
        const last = writer.nextLsn - 1;
        const rotated = writer.rotate();
        appends.push(writer.append(put("k"), "relaxed"));
        await rotated;
        covered = last;
        appends.push(writer.dropSegmentsBefore(covered + 1));
      }
      await Promise.all(appends);
      const { durableLsn } = writer;
      disk.crash();
      const { records } = await recoverWal({}, disk, { after: { lsn: covered, sequence: covered } });
      const found = records.map(({ record }) => record.lsn);
      expect(found).toEqual(found.map((_, i) => covered + 1 + i));
      expect(found.at(-1) ?? covered).toBeGreaterThanOrEqual(durableLsn);
    }
  });
});
