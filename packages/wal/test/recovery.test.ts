import { KayaError } from "@kaya/core";
import { type DiskFile, type OpenOptions, SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { type RecoveredRecord, recoverWal, WalWriter } from "../src/index.js";
import {
  batch,
  concat,
  diskOf,
  encodeAll,
  fill,
  imageOf,
  mutationsOf,
  noop,
  numbered,
  outcome,
  PassingDisk,
  plain,
  present,
  put,
  QUARANTINE_DIR,
  segmentPath,
  WAL_DIR,
  writeLog,
} from "./support.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 120_000 });

const MODES = ["tail", "prefix", "absolute"] as const;
const TWO_SEGMENTS = [
  [put("a"), batch(put("b"), put("c"))],
  [put("d"), noop],
];

describe("a segment that is missing before a damaged one", () => {
  const tails: Readonly<Record<string, Uint8Array>> = {
    "an empty one": new Uint8Array(0),
    "only zeros": new Uint8Array(100),
    "a torn record": encodeAll(numbered([put("e")], 5, 6)).subarray(0, 45),
    garbage: fill(100),
  };
  for (const [name, tail] of Object.entries(tails)) {
    const threeSegments = () => {
      const disk = new SimDisk();
      writeLog(disk, TWO_SEGMENTS);
      disk.writeFile(segmentPath(3), tail);
      disk.removeDurably(segmentPath(2));
      return disk;
    };

    for (const recovery of ["tail", "absolute"] as const) {
      it(`is missed before ${name} (${recovery})`, async () => {
        const disk = threeSegments();
        const before = await imageOf(disk);
        await expect(recoverWal({ recovery }, disk)).rejects.toMatchObject({
          code: "KAYA_CORRUPTION",
          message: expect.stringContaining(segmentPath(2)),
        });
        expect(await imageOf(disk)).toEqual(before);
      });
    }

    it(`ends the log before ${name} (prefix), and what is written then stays`, async () => {
      const disk = threeSegments();
      const writer = await WalWriter.open({ recovery: "prefix" }, disk);
      await writer.append(put("after"));
      await writer.close();
      disk.crash();
      expect((await recoverWal({}, disk)).records.map(({ record }) => record.lsn)).toEqual([1, 2, 3]);
    });
  }

  it("does not hide a record that no mode may cut", async () => {
    const disk = new SimDisk();
    writeLog(disk, TWO_SEGMENTS);
    disk.writeFile(segmentPath(3), encodeAll(numbered([put("large", fill(500))], 5, 6)));
    disk.removeDurably(segmentPath(2));
    const config = { recovery: "prefix", maxRecordBytes: 200 } as const;
    await expect(recoverWal(config, disk)).rejects.toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
  });
});

describe("recovery beside a writer that has the log open", () => {
  it("takes nothing from under it where the log is whole", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    await writer.append(put("a"));
    expect((await recoverWal({}, disk)).recordCount).toBe(1);
    await writer.append(put("b"));
    disk.crash();
    expect((await recoverWal({}, disk)).recordCount).toBe(2);
  });
});

describe("an empty log", () => {
  it("is found where there is no directory, and nothing is created", async () => {
    const disk = new SimDisk();
    expect(await recoverWal({}, disk)).toEqual({
      records: [],
      recordCount: 0,
      segments: 0,
      coveredSegments: 0,
      quarantine: { files: 0, bytes: 0, torn: { files: 0, bytes: 0 } },
      validBytes: 0,
      truncatedBytes: 0,
      quarantined: [],
      warnings: [],
    });
    expect(mutationsOf(disk)).toEqual([]);
  });

  it("may have an empty segment", async () => {
    const disk = new SimDisk();
    disk.writeFile(segmentPath(1), new Uint8Array(0));
    expect(await recoverWal({ recovery: "absolute" }, disk)).toMatchObject({
      recordCount: 0,
      segments: 1,
      warnings: [],
    });
  });
});

describe("a whole log", () => {
  it("comes back with its places and numbers", async () => {
    const disk = new SimDisk();
    const records = writeLog(disk, TWO_SEGMENTS);
    const report = await recoverWal({ recovery: "absolute" }, disk);
    const lengths = records.map((record) => encodeAll([record]).length);
    expect(report.records.map(({ segmentId, offset }) => [segmentId, offset])).toEqual([
      [1, 0],
      [1, lengths[0]],
      [2, 0],
      [2, lengths[2]],
    ]);
    expect(report.records.map(({ record }) => record)).toEqual(records);
    expect(report).toMatchObject({ recordCount: 4, firstLsn: 1, lastLsn: 4, lastSequence: 5, segments: 2 });
    expect(report.validBytes).toBe(lengths.reduce((sum, length) => sum + length, 0));
  });

  it("ends with the sequence of a batch's last operation", async () => {
    const disk = new SimDisk();
    writeLog(disk, [[batch(put("a"), put("b"), put("c"))]]);
    expect(await recoverWal({}, disk)).toMatchObject({ lastLsn: 1, lastSequence: 3 });
  });

  it("may have an empty segment in the middle: no record is missing", async () => {
    const disk = new SimDisk();
    const records = writeLog(disk, [[put("a")], [], [put("b")]]);
    const report = await recoverWal({ recovery: "absolute" }, disk);
    expect(plain(report.records)).toEqual(plain(records));
    expect(report.segments).toBe(3);
  });

  it("may begin with any id: where LSN 1 is there, nothing is missing", async () => {
    const disk = new SimDisk();
    const records = writeLog(disk, TWO_SEGMENTS, 4);
    expect(plain((await recoverWal({ recovery: "absolute" }, disk)).records)).toEqual(plain(records));
    const writer = await WalWriter.open({}, disk);
    expect(await writer.append(noop)).toMatchObject({ lsn: 5, segmentId: 5 });
  });

  it("streams to onRecord instead of collecting, with the bytes as they were", async () => {
    const disk = new SimDisk();
    const payloads = Array.from({ length: 40 }, (_, index) => put(`k${index}`, fill(64 * 1024, index)));
    const records = writeLog(disk, [payloads]);
    const found: RecoveredRecord[] = [];
    const report = await recoverWal({}, disk, { onRecord: (record) => found.push(record) });
    expect(report.records).toEqual([]);
    expect(report.recordCount).toBe(40);
    // Kept until the end: what was given out is never written over.
    expect(found.map(({ record }) => record.lsn)).toEqual(records.map(({ lsn }) => lsn));
    expect(plain(found)).toEqual(plain(records));
  });

  it("tells how far it is, up to the whole", async () => {
    const disk = new SimDisk();
    writeLog(disk, [[put("a", fill(1_500_000))], [put("b", fill(700_000)), put("c")]]);
    const steps: { bytes: number; totalBytes: number; records: number }[] = [];
    await recoverWal({}, disk, { onRecord: () => undefined, onProgress: (progress) => steps.push(progress) });
    expect(steps.length).toBeGreaterThan(2);
    for (const [index, step] of steps.entries())
      expect(step.bytes).toBeGreaterThanOrEqual(steps[index - 1]?.bytes ?? 0);
    const last = present(steps.at(-1));
    expect(last).toMatchObject({ bytes: last.totalBytes, records: 3 });
  });
});

describe("names in the log's directory", () => {
  it("that are no segments are left alone and reported, in every mode", async () => {
    const unknown = [
      "0000000000000003.wal.bak",
      "1.wal",
      "000000000000000A.wal",
      "0000000000000003",
      "notes.txt",
      "x.tmp",
    ];
    for (const recovery of MODES) {
      const disk = new SimDisk();
      const records = writeLog(disk, TWO_SEGMENTS);
      for (const name of unknown) disk.writeFile(`${WAL_DIR}/${name}`, fill(10));
      const report = await recoverWal({ recovery }, disk);
      expect(plain(report.records)).toEqual(plain(records));
      const expected = unknown.map((name) => ({ kind: "UnknownFile", path: `${WAL_DIR}/${name}` }));
      expect(new Set(report.warnings)).toEqual(new Set(expected));
      for (const name of unknown) expect(disk.readFile(`${WAL_DIR}/${name}`)).toEqual(fill(10));
    }
  });

  it("a directory where the next segment must be is refused at once, not at some later append", async () => {
    const disk = new SimDisk();
    writeLog(disk, TWO_SEGMENTS);
    disk.writeFile(`${WAL_DIR}/0000000000000003.wal/inside`, fill(10));
    await expect(WalWriter.open({}, disk)).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
  });

  it("the quarantine is neither read nor reported nor touched", async () => {
    const disk = new SimDisk();
    writeLog(disk, TWO_SEGMENTS);
    disk.writeFile(`${QUARANTINE_DIR}/0000000000000003.wal`, fill(10));
    expect((await recoverWal({}, disk)).warnings).toEqual([]);
    expect(disk.readFile(`${QUARANTINE_DIR}/0000000000000003.wal`)).toEqual(fill(10));
  });

  it("a segment's name out of range is refused, in every mode, and nothing is changed", async () => {
    for (const recovery of MODES) {
      for (const name of ["0000000000000000", "0020000000000000", "ffffffffffffffff"]) {
        const disk = new SimDisk();
        writeLog(disk, TWO_SEGMENTS);
        disk.writeFile(`${WAL_DIR}/${name}.wal`, fill(10));
        const before = await imageOf(disk);
        await expect(recoverWal({ recovery }, disk)).rejects.toMatchObject({
          code: "KAYA_CORRUPTION",
          message: expect.stringContaining(`${WAL_DIR}/${name}.wal`),
        });
        expect(mutationsOf(disk)).toEqual([]);
        expect(await imageOf(disk)).toEqual(before);
      }
    }
  });

  it("the largest id that is exact is a segment: it misses those before it", async () => {
    const disk = new SimDisk();
    disk.writeFile(`${WAL_DIR}/001fffffffffffff.wal`, encodeAll(numbered([put("a")], 7, 7)));
    await expect(recoverWal({}, disk)).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
  });

  it("copies that a crash left unfinished are removed, but not by a dry run", async () => {
    const disk = new SimDisk();
    writeLog(disk, TWO_SEGMENTS);
    const leftovers = [`${segmentPath(2)}.tmp`, `${QUARANTINE_DIR}/0000000000000002.wal.1-2.00000000.tmp`];
    for (const path of leftovers) disk.writeFile(path, fill(10));
    expect((await recoverWal({}, disk, { dryRun: true })).warnings).toEqual([]);
    for (const path of leftovers) expect(disk.readFile(path)).toBeDefined();
    expect((await recoverWal({}, disk)).warnings).toEqual([]);
    for (const path of leftovers) expect(disk.readFile(path)).toBeUndefined();
  });
});

describe("the quarantine", () => {
  it("keeps a file that is too short for a header and never was a log", async () => {
    const disk = new SimDisk();
    const diary = new TextEncoder().encode("Dear diary");
    disk.writeFile(segmentPath(1), diary);
    const report = await recoverWal({}, disk);
    expect(report.truncatedBytes).toBe(diary.length);
    expect(disk.readFile(present(report.quarantined[0]))).toEqual(diary);
  });

  it("does not keep the beginning of a header: that is the crash's own", async () => {
    for (let length = 1; length < 40; length++) {
      const disk = new SimDisk();
      disk.writeFile(segmentPath(1), encodeAll(numbered([noop])).subarray(0, length));
      expect((await recoverWal({}, disk)).quarantined).toEqual([]);
    }
  });

  it("loses no file of a stranger, whatever its name ends with", async () => {
    const disk = new SimDisk();
    writeLog(disk, TWO_SEGMENTS);
    for (const name of ["notes.tmp", "0000000000000001.wal.tmp"]) {
      disk.writeFile(`${QUARANTINE_DIR}/${name}`, fill(10));
    }
    await recoverWal({}, disk);
    expect((await disk.list(QUARANTINE_DIR)).length).toBe(2);
  });

  it("never uses a name again for other bytes, and finds its own copy again", async () => {
    const disk = new SimDisk();
    for (const letter of [0x61, 0x62, 0x61]) {
      writeLog(disk, [[put("a")]]);
      disk.writeFile(segmentPath(1), concat([present(disk.readFile(segmentPath(1))), fill(50, letter)]));
      await recoverWal({}, disk);
    }
    const kept = (await disk.list(QUARANTINE_DIR)).map(({ path }) => present(disk.readFile(path))[0]);
    expect(kept.sort()).toEqual([0x61, 0x62]);
  });

  it("takes another name where the one it wants has other bytes", async () => {
    const damaged = new SimDisk();
    writeLog(damaged, [[put("a")]]);
    damaged.writeFile(segmentPath(1), concat([present(damaged.readFile(segmentPath(1))), fill(50)]));
    const image = await imageOf(damaged);
    const wanted = present((await recoverWal({}, diskOf(image))).quarantined[0]);
    const disk = diskOf(image);
    disk.writeFile(wanted, fill(50, 0x7a));
    expect((await recoverWal({}, disk)).quarantined).toEqual([`${wanted}-2`]);
    expect(disk.readFile(wanted)).toEqual(fill(50, 0x7a));
    expect(disk.readFile(`${wanted}-2`)).toEqual(fill(50));
  });
});

describe("a read that fails", () => {
  it("is never taken for the end of the log, whichever read it is, in every mode", async () => {
    for (const recovery of MODES) {
      for (const isDamaged of [false, true]) {
        const sim = new SimDisk();
        writeLog(sim, TWO_SEGMENTS);
        if (isDamaged) sim.flipBit(segmentPath(2), 45, 0);
        const before = await imageOf(sim);
        for (let at = 0; ; at++) {
          const disk = new UnreadableDisk(diskOf(before), at);
          const result = await outcome(recoverWal({ recovery }, disk));
          if (disk.reads <= at) break;
          if (!("error" in result)) throw new Error(`read ${at} failed, and recovery went on`);
          expect(KayaError.is(result.error, "KAYA_IO"), `read ${at}`).toBe(true);
          const now = Object.entries(await imageOf(disk.sim)).filter(([path]) => path.endsWith(".wal"));
          expect(Object.fromEntries(now), `read ${at}`).toEqual(before);
        }
      }
    }
  });

  it("a file that gets shorter while it is read is an error too", async () => {
    const sim = new SimDisk();
    writeLog(sim, TWO_SEGMENTS);
    await expect(recoverWal({}, new ShrinkingDisk(sim))).rejects.toMatchObject({ code: "KAYA_IO" });
  });
});

describe("a caller's mistakes are told before anything is read", () => {
  const mistakes: readonly (readonly [string, object, object])[] = [
    ["an unknown mode", { recovery: "repair" }, {}],
    ["an unknown option of the config", { segmentMaxByte: 100 }, {}],
    ["a record larger than a segment", { segmentMaxBytes: 100, maxRecordBytes: 200 }, {}],
    ["a position without a sequence", {}, { after: { lsn: 1 } }],
    ["a position that is no number", {}, { after: { lsn: Number.NaN, sequence: 1 } }],
    ["a negative position", {}, { after: { lsn: -1, sequence: 0 } }],
  ];

  for (const [name, config, options] of mistakes) {
    it(name, async () => {
      const disk = new SimDisk();
      await expect(recoverWal(config, disk, options)).rejects.toMatchObject({
        code: "KAYA_INVALID_ARGUMENT",
      });
      await expect(WalWriter.open(config, disk, options)).rejects.toMatchObject({
        code: "KAYA_INVALID_ARGUMENT",
      });
      expect(disk.events).toEqual([]);
    });
  }
});

/** Read number `failing` rejects as a bad sector does. */
class UnreadableDisk extends PassingDisk {
  reads = 0;
  readonly sim: SimDisk;
  readonly #failing: number;

  constructor(sim: SimDisk, failing: number) {
    super(sim);
    this.sim = sim;
    this.#failing = failing;
  }

  override async open(path: string, options?: OpenOptions): Promise<DiskFile> {
    const file = await this.inner.open(path, options);
    const readAt = file.readAt.bind(file);
    file.readAt = async (position, into) => {
      if (this.reads++ === this.#failing) throw new KayaError("KAYA_IO", `read of ${path}: EIO`);
      return readAt(position, into);
    };
    return file;
  }
}

/** Every file loses a byte between the question for its length and the first read. */
class ShrinkingDisk extends PassingDisk {
  override async open(path: string, options?: OpenOptions): Promise<DiskFile> {
    const file = await this.inner.open(path, options);
    const length = file.length.bind(file);
    file.length = async () => (await length()) + 1;
    return file;
  }
}
