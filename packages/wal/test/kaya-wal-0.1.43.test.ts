import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { recoverWal, WalWriter } from "../src/index.js";
import { fill, outcome, plain, put, segmentPath, settle, writeLog } from "./support.js";

/** Each of these loses acknowledged strict records, or hangs, in kaya-wal 0.1.43. */
describe("what kaya-wal 0.1.43 gets wrong", () => {
  it("W1: rotation without an fsync: a relaxed record lost in segment 1 takes the strict one in segment 2 with it", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({ segmentMaxBytes: 200 }, disk);
    await writer.append(put("relaxed", fill(100)), "relaxed");
    const strict = await writer.append(put("strict", fill(100)));
    expect(strict).toMatchObject({ segmentId: 2, durable: true });
    disk.crash();
    const report = await recoverWal({}, disk);
    expect(report.lastLsn).toBe(strict.lsn);
    expect(report.recordCount).toBe(2);
  });

  it("damage in an old segment, later ones left in place: what is acknowledged after it is cut by the next recovery", async () => {
    const damaged = () => {
      const disk = new SimDisk();
      writeLog(disk, [[put("a"), put("b")], [put("c")], [put("d")]]);
      disk.flipBit(segmentPath(1), 100, 0);
      return disk;
    };
    await expect(WalWriter.open({}, damaged())).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });

    const disk = damaged();
    const writer = await WalWriter.open({ recovery: "prefix" }, disk);
    expect(await writer.append(put("strict"))).toMatchObject({ lsn: 2, segmentId: 1, durable: true });
    disk.crash();
    const report = await recoverWal({ recovery: "absolute" }, disk);
    expect(plain(report.records)).toEqual(["1/1 put a=value of a", "2/2 put strict=value of strict"]);
  });

  it("W4: a failed fsync, then a retry under the same LSN: recovery stops at the duplicate", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    await writer.append(put("first"));
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed", outcome: "kept" });
    await expect(writer.append(put("not durable"))).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    // No retry in this writer; the next one gives no LSN twice.
    await expect(writer.append(put("retry"))).rejects.toMatchObject({ code: "KAYA_WRITER_FAILED" });
    await outcome(writer.close());
    const next = await WalWriter.open({}, disk);
    const retried = await next.append(put("retry"));
    const strict = await next.append(put("strict"));
    disk.crash();
    const report = await recoverWal({ recovery: "absolute" }, disk);
    expect(report.lastLsn).toBe(strict.lsn);
    expect(report.records.map(({ record }) => record.lsn)).toEqual([1, 2, retried.lsn, strict.lsn]);
  });

  it("W3: a partial write is left in the file: all that is acknowledged after it is unreachable", async () => {
    for (const bytes of [1, 39, 40, 50]) {
      const disk = new SimDisk();
      const writer = await WalWriter.open({}, disk);
      await writer.append(put("first"));
      disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes });
      await expect(writer.append(put("torn"))).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
      await writer.append(put("strict"));
      disk.crash();
      const report = await recoverWal({ recovery: "absolute" }, disk);
      expect(plain(report.records)).toEqual([
        "1/1 put first=value of first",
        "2/2 put strict=value of strict",
      ]);
    }
  });

  it("a lone strict append that waits for a batch to fill never returns", async () => {
    const writer = await WalWriter.open({ maxBatchBytes: 1024 * 1024 }, new SimDisk());
    let durable = false;
    const appended = writer.append(put("alone")).then((result) => {
      durable = result.durable;
    });
    await settle();
    expect(durable).toBe(true);
    await appended;
  });
});
