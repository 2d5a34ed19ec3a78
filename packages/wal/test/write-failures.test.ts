import { KayaError } from "@kaya/core";
import { type DiskFile, type OpenOptions, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { recoverWal, WalWriter } from "../src/index.js";
import {
  fill,
  mutationsOf,
  noop,
  outcome,
  PassingDisk,
  plain,
  present,
  put,
  segmentPath,
} from "./support.js";

const LOG = segmentPath(1);
const FIRST_LENGTH = 67;

/** A writer with one durable record; faults count from the next operation. */
async function opened(disk: SimDisk, config = {}): Promise<WalWriter> {
  const writer = await WalWriter.open(config, disk);
  await writer.append(put("first"));
  return writer;
}

async function keysAfterCrash(disk: SimDisk): Promise<string[]> {
  disk.crash({ survive: "everything" });
  return plain((await recoverWal({}, disk)).records);
}

describe("W3: a failed or short write is undone, durably, and the writer goes on", () => {
  it("gives the LSN, the sequence and the place to the next record", async () => {
    const disk = new SimDisk();
    const writer = await opened(disk);
    disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 45 });
    await expect(writer.append(put("taken back"))).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    expect(writer.nextLsn).toBe(2);
    expect(writer.nextSequence).toBe(2);
    expect(writer.failure).toBeUndefined();
    const { lsn, sequence, offset } = await writer.append(put("second"));
    expect({ lsn, sequence, offset }).toEqual({ lsn: 2, sequence: 2, offset: FIRST_LENGTH });
    expect(await keysAfterCrash(disk)).toEqual([
      "1/1 put first=value of first",
      "2/2 put second=value of second",
    ]);
  });

  it("truncates and syncs before anyone hears of it", async () => {
    const disk = new SimDisk();
    const writer = await opened(disk);
    const from = disk.nextOperation;
    disk.addFault({ at: from, kind: "partial-write", bytes: 45 });
    let atRejection: string[] = [];
    await writer.append(put("taken back")).catch(() => {
      atRejection = mutationsOf(disk, from);
    });
    expect(atRejection).toEqual([`append ${LOG}`, `truncate ${LOG}`, `sync ${LOG}`]);
    expect(present(disk.stableFile(LOG))).toHaveLength(FIRST_LENGTH);
  });

  it("rejects the whole batch and all that waits behind it with the same error, and takes what comes next", async () => {
    const disk = new SimDisk();
    const writer = await opened(disk, { maxBatchBytes: 100 });
    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    const waiting = ["a", "b", "c", "d"].map((key) => outcome(writer.append(put(key), "relaxed")));
    const barrier = outcome(writer.sync());
    const results = [...(await Promise.all(waiting)), await barrier];
    const first = present(results[0]);
    expect(first).toMatchObject({ error: { code: "KAYA_DISK_FULL" } });
    for (const result of results) expect(result).toEqual(first);
    expect(writer.pendingBytes).toBe(0);
    expect((await writer.append(put("e"))).lsn).toBe(2);
  });

  it("leaves what was acknowledged before it alone, and makes it durable", async () => {
    const disk = new SimDisk();
    const writer = await opened(disk);
    await writer.append(put("relaxed"), "relaxed");
    disk.addFault({ at: disk.nextOperation, kind: "io-error" });
    await expect(writer.append(put("taken back"))).rejects.toMatchObject({ code: "KAYA_IO" });
    expect(writer.durableLsn).toBe(2);
    disk.crash();
    expect((await recoverWal({}, disk)).recordCount).toBe(2);
  });

  it("survives many in a row, as on a disk that is full for a while", async () => {
    const disk = new SimDisk();
    const writer = await opened(disk);
    for (let i = 0; i < 5; i++) {
      disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: i * 20 });
      await expect(writer.append(put(`no ${i}`))).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    }
    await writer.append(put("yes"));
    expect(await keysAfterCrash(disk)).toEqual(["1/1 put first=value of first", "2/2 put yes=value of yes"]);
  });

  it("a segment that cannot be created is removed and tried again at the next append", async () => {
    for (const kind of ["disk-full", "io-error"] as const) {
      const disk = new SimDisk();
      const writer = await opened(disk, { segmentMaxBytes: 100 });
      const creation = disk.nextOperation + 2; // behind the sync of the old segment and of its directory
      disk.addFault({ at: creation, kind });
      await expect(writer.append(put("second", fill(20)))).rejects.toMatchObject({
        code: kind === "io-error" ? "KAYA_IO" : "KAYA_DISK_FULL",
      });
      expect(mutationsOf(disk, creation).slice(0, 2)).toEqual([
        `open ${segmentPath(2)}`,
        `remove ${segmentPath(2)}`,
      ]);
      expect((await disk.list("wal")).map(({ path }) => path)).toEqual([LOG]);
      expect(await writer.append(put("second", fill(20)))).toMatchObject({ lsn: 2, segmentId: 2, offset: 0 });
      disk.crash();
      expect((await recoverWal({}, disk)).recordCount).toBe(2);
    }
  });

  it("the very first segment can fail too", async () => {
    const disk = new SimDisk({ faults: [{ at: 0, kind: "disk-full" }] });
    const writer = await WalWriter.open({}, disk);
    await expect(writer.append(noop)).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    expect(await writer.append(noop)).toMatchObject({ lsn: 1, segmentId: 1, offset: 0 });
    disk.crash();
    expect((await recoverWal({}, disk)).recordCount).toBe(1);
  });

  it("after a failed first write in a new segment the next one goes there", async () => {
    const disk = new SimDisk();
    const writer = await opened(disk, { segmentMaxBytes: 100 });
    disk.addFault({ at: disk.nextOperation + 4, kind: "partial-write", bytes: 50 });
    await expect(writer.append(put("second", fill(20)))).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    expect(await writer.append(put("second", fill(20)))).toMatchObject({ lsn: 2, segmentId: 2, offset: 0 });
    await writer.close();
    disk.crash();
    expect((await recoverWal({}, disk)).recordCount).toBe(2);
  });

  it("what was taken back stays away after a clean close", async () => {
    const disk = new SimDisk();
    const writer = await opened(disk);
    disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 5000 });
    await expect(writer.append(put("taken back"))).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    await writer.close();
    expect(await keysAfterCrash(disk)).toEqual(["1/1 put first=value of first"]);
  });

  for (const [name, steps] of [
    ["truncate", 1],
    ["fsync", 2],
  ] as const) {
    it(`a failed ${name} in the undo is final (W4)`, async () => {
      const disk = new SimDisk();
      const writer = await opened(disk);
      disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 45 });
      disk.addFault({ at: disk.nextOperation + steps, kind: "io-error" });
      await expect(writer.append(put("torn"))).rejects.toMatchObject({
        code: "KAYA_FSYNC_FAILED",
        ...(steps === 1 && { cause: expect.objectContaining({ code: "KAYA_DISK_FULL" }) }),
      });
      const failure = present(writer.failure);
      await expect(writer.append(put("later"))).rejects.toMatchObject({
        code: "KAYA_WRITER_FAILED",
        cause: failure,
      });
      disk.killProcess();
      const again = await WalWriter.open({}, disk);
      await again.append(put("second"));
      expect(await keysAfterCrash(disk)).toEqual([
        "1/1 put first=value of first",
        "2/2 put second=value of second",
      ]);
    });
  }
});

describe("W4: a failed fsync is final", () => {
  it("rejects who waits with it, and everything later with KAYA_WRITER_FAILED and the first cause", async () => {
    const disk = new SimDisk();
    const writer = await opened(disk, { maxBatchBytes: 100 });
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    const waiting = ["a", "b", "c"].map((key) => outcome(writer.append(put(key))));
    const first = present((await Promise.all(waiting))[0]);
    if (!("error" in first)) throw new Error("the append must be rejected");
    expect(first.error).toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    for (const result of await Promise.all(waiting)) expect(result).toEqual(first);
    expect(writer.failure).toBe(first.error);
    const failed = { code: "KAYA_WRITER_FAILED", cause: first.error };
    await expect(writer.append(noop)).rejects.toMatchObject(failed);
    await expect(writer.append(noop, "relaxed")).rejects.toMatchObject(failed);
    await expect(writer.sync()).rejects.toMatchObject(failed);
    await expect(writer.ready()).rejects.toMatchObject(failed);
    await expect(writer.dropSegmentsBefore(1)).rejects.toMatchObject(failed);
  });

  it("touches the disk no more", async () => {
    const disk = new SimDisk();
    const writer = await opened(disk);
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    await outcome(writer.append(noop));
    const operations = disk.nextOperation;
    await outcome(writer.append(noop));
    await outcome(writer.close());
    expect(disk.nextOperation).toBe(operations);
  });

  it("counts for a directory's fsync as for a file's", async () => {
    const disk = new SimDisk({ faults: [{ at: 1, kind: "fsync-failed" }] });
    const writer = await WalWriter.open({}, disk);
    await expect(writer.append(noop)).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    expect(writer.failure).toMatchObject({ code: "KAYA_FSYNC_FAILED" });
  });

  it("close tells of relaxed records that were acknowledged and are not durable", async () => {
    const disk = new SimDisk();
    const writer = await opened(disk);
    await writer.append(noop, "relaxed");
    disk.addFault({ at: disk.nextOperation, kind: "fsync-failed" });
    await expect(writer.close()).rejects.toMatchObject({
      code: "KAYA_WRITER_FAILED",
      cause: { code: "KAYA_FSYNC_FAILED" },
    });
  });

  it("close is quiet where nothing that was acknowledged is missing", async () => {
    const disk = new SimDisk();
    const writer = await opened(disk);
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    await outcome(writer.append(noop));
    await writer.close();
  });

  it("whatever code a disk gives it: a sync that rejected is never taken for a write that can be undone", async () => {
    const sim = new SimDisk();
    const disk = new SyncRejectingDisk(sim);
    const writer = await WalWriter.open({}, disk);
    await writer.append(put("first"));
    disk.rejectSyncs = true;
    await expect(writer.append(put("second"))).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    expect(writer.failure).toMatchObject({ code: "KAYA_FSYNC_FAILED", cause: { code: "KAYA_IO" } });
    disk.rejectSyncs = false;
    await expect(writer.append(put("third"))).rejects.toMatchObject({ code: "KAYA_WRITER_FAILED" });
  });
});

describe("W7: another writer of the same log", () => {
  it("is noticed, and both stop rather than overwrite", async () => {
    const disk = new SimDisk();
    const one = await opened(disk);
    const two = await WalWriter.open({}, disk, { trustPageCache: true });
    await two.append(put("two"));
    await expect(one.append(put("one"))).rejects.toMatchObject({ code: "KAYA_INVARIANT_VIOLATION" });
    await expect(one.append(put("one"))).rejects.toMatchObject({ code: "KAYA_WRITER_FAILED" });
    disk.crash();
    expect((await recoverWal({}, disk)).recordCount).toBe(2);
  });

  it("is noticed by the one whose file was replaced, at its next append", async () => {
    const disk = new SimDisk();
    const one = await opened(disk);
    await WalWriter.open({}, disk);
    await expect(one.append(put("one"))).rejects.toMatchObject({ code: "KAYA_INVARIANT_VIOLATION" });
  });
});

describe("W1: a segment that could not be created", () => {
  it("is taken back before anything is written to the one before it", async () => {
    const disk = new SimDisk();
    const inner = new LateRejectingDisk(disk);
    const writer = await WalWriter.open({ segmentMaxBytes: 200 }, inner);
    await writer.append(put("first"));
    inner.rejectCreation = true;
    await expect(writer.append(put("large", "x".repeat(120)))).rejects.toMatchObject({ code: "KAYA_IO" });
    expect((await disk.list("wal")).map(({ path }) => path)).toEqual(["wal/0000000000000001.wal"]);
    await writer.append(put("small"));
    disk.crash();
    expect((await recoverWal({}, disk)).recordCount).toBe(2);
  });
});

describe("the numbers of a log", () => {
  it("end at 2^53 - 1: an append that would go beyond is refused before anything is written", async () => {
    const last = Number.MAX_SAFE_INTEGER;
    const writer = await WalWriter.open({}, new SimDisk(), { after: { lsn: 10, sequence: last - 1 } });
    const two = { type: "batch", operations: [put("a"), put("b")] } as const;
    await expect(writer.append(two)).rejects.toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
    expect(await writer.append(put("last"))).toMatchObject({ lsn: 11, sequence: last });
    await expect(writer.append(put("beyond"))).rejects.toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
  });
});

/** Creates the file, and rejects all the same. */
class LateRejectingDisk extends PassingDisk {
  rejectCreation = false;

  override async open(path: string, options?: OpenOptions): Promise<DiskFile> {
    const file = await this.inner.open(path, options);
    if (options?.create !== true || !this.rejectCreation) return file;
    throw new KayaError("KAYA_IO", "created, and then something failed");
  }
}

/** Breaks the contract of Disk in one point: its failed sync has the wrong code. */
class SyncRejectingDisk extends PassingDisk {
  rejectSyncs = false;

  override async open(path: string, options?: OpenOptions): Promise<DiskFile> {
    const file = await this.inner.open(path, options);
    const sync = file.sync.bind(file);
    file.sync = async () => {
      if (this.rejectSyncs) throw new KayaError("KAYA_IO", "the wrong code");
      return sync();
    };
    return file;
  }
}
