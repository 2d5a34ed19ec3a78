import { type DiskFile, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { inspectWal, recoverWal, WalWriter } from "../src/index.js";
import { fill, outcome, PassingDisk, plain, present, put, segmentPath } from "./support.js";

const ONE = segmentPath(1);
const KIB = 1024;

const fileOf = (disk: SimDisk, id = 1) => present(disk.readFile(segmentPath(id)));
const isZero = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);

/** A log whose writer has just made space: five small durable records, one after the other. */
async function withSpace(config = {}) {
  const disk = new SimDisk();
  const writer = await WalWriter.open(config, disk);
  for (let i = 0; i < 5; i++) await writer.append(put(`${i}`));
  return { disk, writer, end: writer.size.bytes };
}

describe("W8: space ahead of the log", () => {
  it("is made behind the fifth small durable write in a row, and the next ones go into it", async () => {
    const { disk, writer, end } = await withSpace();
    expect(fileOf(disk).length).toBe(end + 64 * KIB);
    expect(isZero(fileOf(disk).subarray(end))).toBe(true);
    const before = disk.events.length;
    for (let i = 5; i < 20; i++) await writer.append(put(`${i}`));
    expect(new Set(disk.events.slice(before).map(({ kind }) => kind))).toEqual(new Set(["writeAt", "sync"]));
    expect(fileOf(disk).length).toBe(end + 64 * KIB);
    disk.crash();
    const { recordCount, warnings, truncatedBytes, quarantined } = await recoverWal({}, disk);
    expect({ recordCount, warnings, truncatedBytes, quarantined }).toEqual({
      recordCount: 20,
      warnings: [],
      truncatedBytes: 0,
      quarantined: [],
    });
  });

  it("costs no fsync of its own", async () => {
    const { disk } = await withSpace();
    expect(disk.events.filter(({ kind, path }) => kind === "sync" && path === ONE)).toHaveLength(5);
  });

  it("grows in steps that double, up to preallocateBytes, and ends with the segment", async () => {
    const disk = new SimDisk();
    const config = { preallocateBytes: 200 * KIB, segmentMaxBytes: 1000 * KIB };
    const writer = await WalWriter.open(config, disk);
    const steps = new Set<number>();
    let before = 0;
    while (writer.size.segments < 2) {
      await writer.append(put("a", fill(9 * KIB)));
      if (writer.size.segments > 1) break;
      const { length } = fileOf(disk);
      if (length > before && length > writer.size.bytes) steps.add(length - writer.size.bytes);
      before = length;
      expect(length).toBeLessThanOrEqual(1000 * KIB);
    }
    expect([...steps].slice(0, 3)).toEqual([64 * KIB, 128 * KIB, 200 * KIB]);
  });

  it.each([
    ["large batches", {}, "strict", 65 * KIB],
    ["relaxed writes", {}, "relaxed", 10],
    ["a log that is told to make none", { preallocateBytes: 0 }, "strict", 10],
  ] as const)("is not made for %s", async (_, config, mode, bytes) => {
    const disk = new SimDisk();
    const writer = await WalWriter.open(config, disk);
    for (let i = 0; i < 12; i++) await writer.append(put("a", fill(bytes)), mode);
    expect(fileOf(disk).length).toBe(writer.size.bytes);
  });

  it("is cut before the next segment is created, and a closed segment ends with its last record", async () => {
    const { disk, writer, end } = await withSpace();
    await writer.rotate();
    expect(fileOf(disk).length).toBe(end);
    disk.crash();
    expect(fileOf(disk).length).toBe(end);
    expect((await recoverWal({ recovery: "absolute" }, disk)).recordCount).toBe(5);
  });

  it("is given back by a clean close: the mark has the length of the file", async () => {
    const { disk, writer, end } = await withSpace();
    await writer.close();
    expect(fileOf(disk).length).toBe(end);
    const mark = present(writer.tailMark);
    expect(mark.endsWith(`:${end}`)).toBe(true);
    disk.crash();
    const again = await WalWriter.open({}, disk, { trustPageCache: mark, closedAt: mark });
    expect(again.recovery.recordCount).toBe(5);
  });

  it.each(["io-error", "fsync-failed"] as const)(
    "that cannot be given back (%s) leaves the log not clean, and nothing is lost",
    async (kind) => {
      const { disk, writer } = await withSpace();
      disk.addFault({ at: disk.nextOperation + (kind === "io-error" ? 0 : 1), kind });
      await writer.close();
      expect(writer.tailMark).toBeUndefined();
      disk.crash();
      expect((await recoverWal({}, disk)).recordCount).toBe(5);
    },
  );

  it.each([{ kind: "partial-write", bytes: 100 }, { kind: "io-error" }] as const)(
    "that cannot be written ($kind) is left out, and the write is acknowledged all the same",
    async (fault) => {
      const disk = new SimDisk();
      const writer = await WalWriter.open({}, disk);
      for (let i = 0; i < 4; i++) await writer.append(put(`${i}`));
      disk.addFault({ at: disk.nextOperation + 1, ...fault });
      await writer.append(put("4"));
      expect(fileOf(disk).length).toBe(writer.size.bytes);
      for (let i = 5; i < 9; i++) await writer.append(put(`${i}`));
      expect(fileOf(disk).length).toBe(writer.size.bytes);
      disk.crash();
      expect((await recoverWal({}, disk)).recordCount).toBe(9);
    },
  );

  it("is gone behind a failed write, which is taken back as at the end of a file (W3)", async () => {
    const { disk, writer, end } = await withSpace();
    disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 30 });
    expect(await outcome(writer.append(put("rejected")))).toMatchObject({
      error: { code: "KAYA_DISK_FULL" },
    });
    expect(fileOf(disk).length).toBe(end);
    await writer.append(put("accepted"));
    disk.crash();
    const { records, warnings } = await recoverWal({}, disk);
    expect(plain(records).at(-1)).toContain("accepted");
    expect(warnings).toEqual([]);
  });

  it("does not hide another writer: nothing of it is written over (W7)", async () => {
    const { disk, writer, end } = await withSpace();
    const other = await WalWriter.open({}, disk, { trustPageCache: true });
    await other.append(put("other"));
    await expect(writer.append(put("mine"))).rejects.toMatchObject({ code: "KAYA_INVARIANT_VIOLATION" });
    const { records } = await recoverWal({}, disk);
    expect(records).toHaveLength(6);
    expect(records.at(-1)?.offset).toBe(end);
    expect(plain(records).at(-1)).toContain("other");
  });

  it("is not seen by a follower, or by a look beside the writer", async () => {
    const { disk, writer } = await withSpace();
    const follower = writer.follow();
    for (let i = 0; i < 5; i++) expect((await follower.next()).value).toMatchObject({ lsn: i + 1 });
    const next = follower.next();
    await writer.append(put("5"));
    expect((await next).value).toMatchObject({ lsn: 6 });
    const look = await recoverWal({ recovery: "absolute" }, disk, { dryRun: true });
    expect(look).toMatchObject({ recordCount: 6, warnings: [] });
    await follower.return?.();
  });
});

describe("W8 in synchronous commits", () => {
  async function withSpaceNow() {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    for (let i = 0; i < 5; i++) writer.appendSync(put(`${i}`));
    return { disk, writer, end: writer.size.bytes };
  }

  it("makes it and writes into it, and what is asynchronous goes on in it", async () => {
    const { disk, writer, end } = await withSpaceNow();
    expect(fileOf(disk).length).toBe(end + 64 * KIB);
    const before = disk.events.length;
    writer.appendSync(put("5"));
    await writer.append(put("6"));
    writer.appendSync(put("7"));
    expect(new Set(disk.events.slice(before).map(({ kind }) => kind))).toEqual(new Set(["writeAt", "sync"]));
    disk.crash();
    expect(await recoverWal({}, disk)).toMatchObject({ recordCount: 8, warnings: [] });
  });

  it("cuts it at a rotation", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({ segmentMaxBytes: 8 * KIB }, disk);
    for (let i = 0; i < 5; i++) writer.appendSync(put("a"));
    const end = writer.size.bytes;
    expect(fileOf(disk).length).toBe(8 * KIB);
    writer.appendSync(put("b", fill(8000)));
    expect(writer.size.segments).toBe(2);
    expect(fileOf(disk).length).toBe(end);
    disk.crash();
    expect((await recoverWal({ recovery: "absolute" }, disk)).recordCount).toBe(6);
  });

  it("takes a failed write in it back, and leaves it out on a full disk", async () => {
    const { disk, writer, end } = await withSpaceNow();
    disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 30 });
    expect(() => writer.appendSync(put("rejected"))).toThrow();
    expect(fileOf(disk).length).toBe(end);
    disk.addFault({ at: disk.nextOperation + 1, kind: "partial-write", bytes: 100 });
    writer.appendSync(put("accepted"));
    expect(fileOf(disk).length).toBe(writer.size.bytes);
    disk.crash();
    const { records, warnings } = await recoverWal({}, disk);
    expect(plain(records).at(-1)).toContain("accepted");
    expect(warnings).toEqual([]);
  });
});

describe("a reader that sees the zeros from before a write, and what was written behind them", () => {
  /** The first read of the log misses the sixth record, as beside a writer that is filling its space. */
  async function behind() {
    const { disk, writer, end } = await withSpace();
    await writer.append(put("5"));
    await writer.append(put("6"));
    let reads = 0;
    class LateDisk extends PassingDisk {
      override async open(...given: Parameters<PassingDisk["open"]>): Promise<DiskFile> {
        const file = await super.open(...given);
        if (given[0] !== ONE) return file;
        const readAt = file.readAt.bind(file);
        file.readAt = async (position, into) => {
          const read = await readAt(position, into);
          if (reads++ === 0) into.fill(0, end - position, end - position + 40);
          return read;
        };
        return file;
      }
    }
    return { disk, late: new LateDisk(disk) };
  }

  it("takes them for the end of the log where it only looks", async () => {
    const { late } = await behind();
    const look = await recoverWal({ recovery: "absolute" }, late, { dryRun: true });
    expect(look).toMatchObject({ recordCount: 5, warnings: [], truncatedBytes: 0 });
    expect((await recoverWal({}, late, { dryRun: true })).recordCount).toBe(7);
  });

  it("changes nothing where it recovers: another process writes there, or the disk fails", async () => {
    const { disk, late } = await behind();
    const before = fileOf(disk).slice();
    expect(await outcome(recoverWal({}, late))).toMatchObject({
      error: { code: "KAYA_IO", message: expect.stringContaining(ONE) },
    });
    expect(fileOf(disk)).toEqual(before);
    expect((await recoverWal({}, disk)).recordCount).toBe(7);
  });

  it("is told no damage where it inspects the segment", async () => {
    const { late } = await behind();
    const found: string[] = [];
    for await (const item of inspectWal(late, ONE)) found.push("kind" in item ? item.kind : item.type);
    expect(found).toEqual(["PUT", "PUT", "PUT", "PUT", "PUT"]);
  });
});
