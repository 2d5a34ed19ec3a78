import { type FaultRule, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { PUT, TableWriter, TOMBSTONE } from "../src/index.js";
import {
  bytes,
  type Contents,
  codeOf,
  expectContents,
  manyEntries,
  openTable,
  put,
  SEED,
  writeAll,
  writeTable,
} from "./support.js";

const CONTENTS: Contents = {
  // More than two writes of 256 KiB.
  entries: Array.from({ length: 12 }, (_, i) => put(`k${String(i).padStart(2, "0")}`, "x".repeat(60_000))),
  rangeTombstones: [{ start: bytes("a"), end: undefined, sequence: 9 }],
};
const OPTIONS = { seed: SEED, syncBytes: 300_000 };

async function writeOn(disk: SimDisk): Promise<void> {
  await writeAll(await TableWriter.create(disk, "sst/t.sst", OPTIONS), CONTENTS);
}

describe("what a writer is given", () => {
  it("is refused before anything of it is written, and the writer goes on", async () => {
    const disk = new SimDisk();
    const writer = await TableWriter.create(disk, "t.sst", OPTIONS);
    const none = new Uint8Array(0);
    const add = (key: unknown, kind: unknown, sequence: unknown, value: unknown) =>
      codeOf(async () => writer.add(key as Uint8Array, kind as 0, sequence as number, value as Uint8Array));
    expect(await codeOf(writer.finish())).toBe("KAYA_INVALID_ARGUMENT");
    await writer.add(bytes("b"), PUT, 1, bytes("v"));
    for (const wrong of [
      ["c", PUT, 1, none],
      [bytes("c"), 2, 1, none],
      [bytes("c"), PUT, -1, none],
      [bytes("c"), PUT, 0.5, none],
      [bytes("c"), PUT, 2 ** 53, none],
      [bytes("c"), PUT, 1, "v"],
      [bytes("c"), TOMBSTONE, 1, bytes("v")],
      [bytes("b"), PUT, 2, none],
      [bytes("a"), PUT, 2, none],
      [none, PUT, 2, none],
    ])
      expect(await add(wrong[0], wrong[1], wrong[2], wrong[3])).toBe("KAYA_INVALID_ARGUMENT");
    const tombstone = (start: unknown, end: unknown, sequence: unknown) =>
      codeOf(async () =>
        writer.addRangeTombstone({
          start: start as Uint8Array,
          end: end as Uint8Array,
          sequence: sequence as number,
        }),
      );
    for (const wrong of [
      ["a", undefined, 1],
      [bytes("a"), "b", 1],
      [bytes("a"), bytes("a"), 1],
      [bytes("b"), bytes("a"), 1],
      [bytes("a"), bytes("b"), 0],
    ])
      expect(await tombstone(wrong[0], wrong[1], wrong[2])).toBe("KAYA_INVALID_ARGUMENT");
    await writer.add(bytes("c"), PUT, 2, none);
    expect(await writer.finish()).toMatchObject({ entries: 2, rangeTombstones: 0 });
    expect(await add(bytes("d"), PUT, 1, none)).toBe("KAYA_CLOSED");
    expect(await codeOf(writer.abandon())).toBe("KAYA_INVALID_ARGUMENT");
    await expectContents(await openTable(disk), { entries: [put("b", "v"), put("c", "", 2)] });
  });

  it("has to be awaited where a promise is given", async () => {
    const writer = await TableWriter.create(new SimDisk(), "t.sst", OPTIONS);
    let promise: unknown;
    let i = 0;
    for (; promise === undefined; i++)
      promise = writer.add(bytes(`k${String(i).padStart(4, "0")}`), PUT, 1, new Uint8Array(60_000));
    expect(await codeOf(() => writer.add(bytes("z"), PUT, 1, new Uint8Array(0)))).toBe(
      "KAYA_INVALID_ARGUMENT",
    );
    await promise;
    await writer.add(bytes("z"), PUT, 1, new Uint8Array(0));
    await writer.finish();
  });

  it("may be changed by its owner afterwards", async () => {
    const disk = new SimDisk();
    const writer = await TableWriter.create(disk, "t.sst", OPTIONS);
    const [key, value, start, end] = [bytes("a"), bytes("1"), bytes("m"), bytes("n")];
    writer.addRangeTombstone({ start, end, sequence: 3 });
    await writer.add(key, PUT, 1, value);
    for (const given of [key, value, start, end]) given.fill(0x7a);
    await writer.finish();
    const table = await openTable(disk);
    await expectContents(table, { entries: [put("a", "1")] });
    expect([table.coveringSequence(bytes("m")), table.coveringSequence(bytes("z"))]).toEqual([3, 0]);
  });

  it("options that are none, and a file that is there already, are refused, and nothing is touched", async () => {
    const disk = new SimDisk();
    disk.writeFile("t.sst", bytes("precious"));
    for (const options of [
      { blockBytes: 1 },
      { bitsPerKey: 99 },
      { seed: new Uint8Array(3) },
      { compression: "zip" },
      { size: 1 },
    ])
      expect(await codeOf(TableWriter.create(disk, "u.sst", options as object))).toBe(
        "KAYA_INVALID_ARGUMENT",
      );
    expect(await codeOf(TableWriter.create(disk, "t.sst"))).toBe("KAYA_INVALID_ARGUMENT");
    expect(disk.readFile("t.sst")).toEqual(bytes("precious"));
    expect(disk.readFile("u.sst")).toBeUndefined();
  });
});

describe("a summary", () => {
  it("says what is in the table, and the same as its properties", async () => {
    const entries = manyEntries(500);
    const rangeTombstones = [{ start: bytes("a"), end: bytes("b"), sequence: 2_000_000 }];
    const { disk, summary } = await writeTable({ entries, rangeTombstones }, { blockBytes: 1024 });
    const table = await openTable(disk);
    const { fileBytes, footerCrc, ...properties } = summary;
    expect(await table.properties()).toEqual(properties);
    expect([fileBytes, table.fileBytes]).toEqual([disk.readFile("t.sst")?.length, fileBytes]);
    expect(footerCrc).toBeGreaterThan(0);
    expect(properties).toMatchObject({
      entries: entries.length,
      tombstones: entries.filter(({ kind }) => kind === TOMBSTONE).length,
      rangeTombstones: 1,
      smallestKey: bytes("a"),
      largestKey: entries.at(-1)?.key,
      smallestSequence: Math.min(...entries.map(({ sequence }) => sequence)),
      largestSequence: 2_000_000,
      rawBytes: entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
    });
    const size = await table.approximateSize();
    expect(size).toBe(properties.storedBytes);
    const half = await table.approximateSize(entries[250]?.key);
    expect(half / size).toBeGreaterThan(0.4);
    expect(half / size).toBeLessThan(0.6);
    expect(await table.approximateSize(bytes("x"), bytes("y"))).toBe(0);
  });

  it("has no largest key where a range tombstone has no end, and bounds without any entry", async () => {
    const rangeTombstones = [{ start: bytes("k"), end: undefined, sequence: 4 }];
    const { disk, summary } = await writeTable({ entries: [], rangeTombstones });
    expect(summary).toMatchObject({
      entries: 0,
      dataBlocks: 0,
      smallestKey: bytes("k"),
      largestKey: undefined,
      smallestSequence: 4,
      largestSequence: 4,
    });
    const table = await openTable(disk);
    expect([
      table.coveringSequence(bytes("z")),
      table.getSync(bytes("z")),
      await table.get(bytes("k")),
    ]).toEqual([4, undefined, undefined]);
    const cursor = table.cursor();
    expect([
      await cursor.seekFirst(),
      await cursor.seekLast(),
      await cursor.seek(bytes("k")),
      await cursor.seekBefore(bytes("k"), true),
    ]).toEqual([false, false, false, false]);
    expect(await table.approximateSize()).toBe(0);
  });
});

describe("a crash (T2)", () => {
  it("at any operation leaves no table that was called finished and is not whole", async () => {
    const whole = new SimDisk();
    await writeOn(whole);
    const { entries } = CONTENTS;
    let torn = 0;
    let kept = 0;
    for (let at = 0; at <= whole.nextOperation; at++) {
      for (const survive of ["nothing", "random", "everything"] as const) {
        let before: SimDisk | undefined;
        const disk: SimDisk = new SimDisk({
          seed: at,
          onOperation: (index) => {
            if (index === at) before = disk.fork();
          },
        });
        await writeOn(disk);
        const isFinished = before === undefined;
        const left = before ?? disk;
        left.crash({ survive });
        if (left.readFile("sst/t.sst") === undefined) continue;
        const code = await codeOf(async () =>
          expectContents(await openTable(left, "sst/t.sst"), { entries }),
        );
        // Its name is the caller's to make durable: where it survived after `finish`, the table is whole.
        if (isFinished) expect(code).toBeUndefined();
        else expect([undefined, "KAYA_CORRUPTION"]).toContain(code);
        if (code === undefined) kept++;
        else torn++;
      }
    }
    expect([torn > 3, kept > 0]).toEqual([true, true]);
  });
});

describe("a fault of the disk (T3)", () => {
  const kinds: ((at: number) => FaultRule)[] = [
    (at) => ({ at, kind: "io-error" }),
    (at) => ({ at, kind: "io-error", outcome: "kept" }),
    (at) => ({ at, kind: "disk-full" }),
    (at) => ({ at, kind: "partial-write", bytes: 1000 }),
    (at) => ({ at, kind: "fsync-failed", outcome: "lost" }),
  ];

  it("at any operation rejects, and abandon leaves nothing behind, also where it fails once", async () => {
    const whole = new SimDisk();
    await writeOn(whole);
    let rejected = 0;
    for (const kind of kinds) {
      for (let at = 0; at < whole.nextOperation; at++) {
        for (const again of [false, true]) {
          const disk = new SimDisk({ faults: [kind(at)] });
          disk.writeFile("sst/other.sst", bytes("not mine"));
          let writer: TableWriter | undefined;
          const code = await codeOf(async () => {
            writer = await TableWriter.create(disk, "sst/t.sst", OPTIONS);
            await writeAll(writer, CONTENTS);
          });
          if (code === undefined) continue; // a fault of a kind that this operation does not meet
          rejected++;
          expect(["KAYA_IO", "KAYA_DISK_FULL", "KAYA_FSYNC_FAILED"]).toContain(code);
          if (writer !== undefined) {
            const failed = writer;
            expect(await codeOf(async () => failed.add(bytes("z"), PUT, 1, bytes("")))).toBe("KAYA_CLOSED");
            expect(await codeOf(failed.finish())).toBe("KAYA_CLOSED");
            if (again) {
              disk.addFault({ at: disk.nextOperation, kind: "io-error" });
              expect(await codeOf(failed.abandon())).toBe("KAYA_IO");
            }
            await failed.abandon();
            await failed.abandon();
          }
          expect(disk.readFile("sst/t.sst")).toBeUndefined();
          expect(disk.readFile("sst/other.sst")).toEqual(bytes("not mine"));
          // The same path is free for the next attempt.
          await writeOn(disk);
          await expectContents(await openTable(disk, "sst/t.sst"), CONTENTS);
        }
      }
    }
    expect(rejected).toBeGreaterThan(20);
  });
});
