import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SimDisk } from "@kaya/io";
import { afterAll, describe, expect, it } from "vitest";
import {
  encodeRecord,
  formatInspection,
  formatInspectionRow,
  formatInspectionWarning,
  formatWarning,
  inspectRecords,
  inspectWal,
  inspectWalPath,
  isDamage,
  isWarning,
  locateSegments,
  type WalInspectionRow,
  type WalWarning,
} from "../src/index.js";
import { AT, flipped, headerCrcOf, resealHeader, u32, withU16 } from "./record-bytes.js";
import {
  batch,
  concat,
  del,
  delRange,
  encodeAll,
  fill,
  noop,
  numbered,
  present,
  put,
  putUntil,
  segmentPath,
  writeLog,
} from "./support.js";
import { temporaryDirectories } from "./temporary-directory.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

const RECORDS = numbered([put("user:1", "Ada"), del("user:2"), noop, batch(put("k", "v"), del("k"))]);
const BYTES = encodeAll(RECORDS);
const ROWS: readonly WalInspectionRow[] = [
  { offset: 0, lsn: 1, sequence: 1, type: "PUT", keyLength: 6, valueLength: 3, encodedLength: 57 },
  { offset: 57, lsn: 2, sequence: 2, type: "DELETE", keyLength: 6, encodedLength: 50 },
  { offset: 107, lsn: 3, sequence: 3, type: "NOOP", encodedLength: 40 },
  { offset: 147, lsn: 4, sequence: 4, type: "BATCH", operations: 2, encodedLength: 61 },
];
const LINES = [
  "offset=0 lsn=1 seq=1 type=PUT key_len=6 value_len=3 checksum=ok",
  "offset=57 lsn=2 seq=2 type=DELETE key_len=6 checksum=ok",
  "offset=107 lsn=3 seq=3 type=NOOP checksum=ok",
  "offset=147 lsn=4 seq=4 type=BATCH operations=2 checksum=ok",
];

it("shows a range delete with the lengths of its bounds, and says where there is no end", async () => {
  const rows = await inspect(encodeAll(numbered([delRange("ab", "b"), delRange("")])));
  expect(rows).toEqual([
    { offset: 0, lsn: 1, sequence: 1, type: "DELETE_RANGE", startLength: 2, endLength: 1, encodedLength: 51 },
    { offset: 51, lsn: 2, sequence: 2, type: "DELETE_RANGE", startLength: 0, encodedLength: 48 },
  ]);
  const inspection = {
    segments: [{ segment: "s", bytes: 99, rows: rows as WalInspectionRow[], warnings: [] }],
  };
  expect(formatInspection(inspection).split("\n")).toEqual([
    "offset=0 lsn=1 seq=1 type=DELETE_RANGE start_len=2 end_len=1 checksum=ok",
    "offset=51 lsn=2 seq=2 type=DELETE_RANGE start_len=0 end_len=none checksum=ok",
  ]);
});

it("shows a put that expires with its time", async () => {
  const rows = await inspect(encodeAll(numbered([putUntil(1_767_225_600_000, "ab", "c")])));
  expect(rows).toEqual([
    {
      offset: 0,
      lsn: 1,
      sequence: 1,
      type: "PUT_EXPIRING",
      keyLength: 2,
      valueLength: 1,
      expiresAt: 1_767_225_600_000,
      encodedLength: 59,
    },
  ]);
  expect(formatInspectionRow(rows[0] as WalInspectionRow)).toBe(
    "offset=0 lsn=1 seq=1 type=PUT_EXPIRING key_len=2 value_len=1 expires_at=1767225600000 checksum=ok",
  );
});

it("goes on where an earlier look ended, and tells a place that is no record's", async () => {
  for (const [index, { offset }] of ROWS.entries()) {
    expect(await inspect(BYTES, { from: offset })).toEqual(ROWS.slice(index));
  }
  expect(await inspect(BYTES, { from: BYTES.length })).toEqual([]);
  expect((await inspect(BYTES, { from: 1 }))[0]).toMatchObject({ kind: "BadMagic", offset: 1 });
});

async function inspect(bytes: Uint8Array, options = {}): Promise<(WalInspectionRow | WalWarning)[]> {
  const disk = new SimDisk();
  disk.writeFile("some.file", bytes);
  const items: (WalInspectionRow | WalWarning)[] = [];
  for await (const item of inspectWal(disk, "some.file", options)) items.push(item);
  return items;
}

describe("a segment's rows", () => {
  it("have a line a record", async () => {
    expect(await inspect(BYTES)).toEqual(ROWS);
    const inspection = { segments: [{ segment: "s", bytes: BYTES.length, rows: ROWS, warnings: [] }] };
    expect(formatInspection(inspection)).toBe(LINES.join("\n"));
  });

  it("come with their records where asked for", async () => {
    const disk = new SimDisk();
    disk.writeFile("some.file", BYTES.subarray(0, -1));
    const items = [];
    for await (const item of inspectRecords(disk, "some.file")) items.push(item);
    expect(items.slice(0, -1)).toEqual(
      RECORDS.slice(0, -1).map((record, index) => ({ row: ROWS[index], record })),
    );
    expect(items.at(-1)).toMatchObject({ kind: "PartialPayload", offset: 147 });
  });

  it("are none for an empty file", async () => {
    expect(await inspect(new Uint8Array(0))).toEqual([]);
    expect(formatInspection({ segments: [] })).toBe("");
  });
});

describe("what is wrong comes after the rows before it", () => {
  const badPayload = concat([
    BYTES.subarray(0, 57),
    flipped(BYTES.subarray(57, 107), 8 * 45),
    BYTES.subarray(107),
  ]);
  const badRecord = badPayload.subarray(57, 107);

  it("a damaged payload, and the valid records behind it", async () => {
    const items = await inspect(badPayload);
    expect(items).toEqual([
      ROWS[0],
      {
        kind: "BadPayloadChecksum",
        offset: 57,
        expected: expect.any(Number),
        actual: u32(badRecord, AT.payloadCrc),
      },
      { kind: "ValidRecordsBeyondDamage", count: 2, firstOffset: 107, firstLsn: 3, lastLsn: 4 },
    ]);
    const lines = items.filter(isWarning).map(formatInspectionWarning);
    expect(lines).toEqual([
      expect.stringMatching(
        /^CORRUPTION offset=57 kind=BadPayloadChecksum expected=0x[0-9a-f]{8} actual=0x[0-9a-f]{8}$/,
      ),
      "CORRUPTION offset=107 kind=ValidRecordsBeyondDamage count=2 firstLsn=3 lastLsn=4",
    ]);
  });

  const endings: readonly (readonly [string, Uint8Array, WalWarning, string])[] = [
    [
      "a torn header",
      BYTES.subarray(0, 60),
      { kind: "PartialHeader", offset: 57 },
      "CORRUPTION offset=57 kind=PartialHeader",
    ],
    [
      "a torn payload",
      BYTES.subarray(0, 100),
      { kind: "PartialPayload", offset: 57, expected: 50, actual: 43 },
      "CORRUPTION offset=57 kind=PartialPayload expected=50 actual=43",
    ],
    [
      "garbage",
      concat([BYTES.subarray(0, 57), fill(50, 1)]),
      { kind: "BadMagic", offset: 57, found: 0x01010101 },
      "CORRUPTION offset=57 kind=BadMagic found=0x01010101",
    ],
    [
      "a newer version",
      concat([BYTES.subarray(0, 57), resealHeader(withU16(BYTES.subarray(57, 107), AT.version, 2))]),
      { kind: "UnsupportedVersion", offset: 57, found: 2 },
      "CORRUPTION offset=57 kind=UnsupportedVersion found=2",
    ],
    [
      "space that was never written, which is no corruption",
      concat([BYTES.subarray(0, 57), fill(5000, 0)]),
      { kind: "ZeroFilledTail", offset: 57, bytes: 5000 },
      "NOTE offset=57 kind=ZeroFilledTail bytes=5000",
    ],
  ];
  for (const [name, bytes, warning, line] of endings) {
    it(name, async () => {
      expect(await inspect(bytes)).toEqual([ROWS[0], warning]);
      expect(formatInspectionWarning(warning)).toBe(line);
      expect(isDamage(warning)).toBe(line.startsWith("CORRUPTION"));
      expect(formatWarning(warning)).toMatch(/57/);
    });
  }

  it("a damaged header", async () => {
    const bad = flipped(BYTES.subarray(57, 107), 8 * AT.lsn);
    const items = await inspect(concat([BYTES.subarray(0, 57), bad]));
    const warning = {
      kind: "BadHeaderChecksum",
      offset: 57,
      expected: headerCrcOf(bad),
      actual: u32(bad, AT.headerCrc),
    };
    expect(items).toEqual([ROWS[0], warning]);
  });

  it("a gap between LSNs is told where it is, and the rows go on", async () => {
    const gap = concat([BYTES.subarray(0, 57), BYTES.subarray(107, 147)]);
    expect(await inspect(gap)).toEqual([
      ROWS[0],
      { kind: "NonMonotonicLsn", offset: 57, expected: 2, found: 3 },
      { ...ROWS[2], offset: 57 },
    ]);
    expect(await inspect(BYTES, { expectedLsn: 5 })).toEqual([
      { kind: "NonMonotonicLsn", offset: 0, expected: 5, found: 1 },
      ...ROWS,
    ]);
  });

  it("a record over the limit", async () => {
    const items = await inspect(BYTES, { maxRecordBytes: 56 });
    expect(items[0]).toEqual({ kind: "OversizedPayload", offset: 0, found: 17, max: 16 });
  });
});

describe("inspectWal streams", () => {
  it("a large segment, a mebibyte at a time, and closes the file when the reader stops", async () => {
    const disk = new SimDisk();
    writeLog(disk, [Array.from({ length: 100 }, (_, index) => put(`${index}`, fill(100_000)))]);
    let rows = 0;
    for await (const item of inspectWal(disk, segmentPath(1))) {
      expect(isWarning(item)).toBe(false);
      if (++rows === 15) break;
    }
    const reads = disk.events.filter(({ kind }) => kind === "readAt");
    expect(reads.length).toBeLessThan(4);
    for (const { length } of reads) expect(length).toBeLessThanOrEqual(1024 * 1024);
    expect(disk.events.at(-1)?.kind).toBe("close");
  });

  it("KAYA_NOT_FOUND where the file is absent", async () => {
    const items = inspectWal(new SimDisk(), "nothing");
    await expect(items.next()).rejects.toMatchObject({ code: "KAYA_NOT_FOUND" });
  });
});

describe("inspectWalPath", () => {
  /** A data directory with two segments, the second of which begins with another LSN if asked for. */
  async function dataDir(secondLsn = 5): Promise<string> {
    const root = await directories.make();
    await mkdir(join(root, "wal", "quarantine"), { recursive: true });
    await writeFile(join(root, "wal", "0000000000000001.wal"), BYTES);
    await writeFile(
      join(root, "wal", "0000000000000002.wal"),
      encodeRecord({ lsn: secondLsn, sequence: 6, payload: noop }),
    );
    await writeFile(join(root, "wal", "notes.txt"), "no segment");
    await writeFile(join(root, "wal", "quarantine", "0000000000000009.wal"), "no segment of the log");
    return root;
  }

  it("takes a data directory, its wal/, or one segment", async () => {
    const root = await dataDir();
    const second = { offset: 0, lsn: 5, sequence: 6, type: "NOOP", encodedLength: 40 };
    const both = {
      segments: [
        { segment: "0000000000000001.wal", bytes: BYTES.length, rows: ROWS, warnings: [] },
        { segment: "0000000000000002.wal", bytes: 40, rows: [second], warnings: [] },
      ],
    };
    expect(await inspectWalPath(root)).toEqual(both);
    expect(await inspectWalPath(join(root, "wal"))).toEqual(both);
    expect(await inspectWalPath(join(root, "wal", "0000000000000001.wal"))).toEqual({
      segments: [both.segments[0]],
    });
    expect(formatInspection(both as never)).toBe(
      [
        `segment=0000000000000001.wal bytes=${BYTES.length} records=4`,
        ...LINES,
        "segment=0000000000000002.wal bytes=40 records=1",
        "offset=0 lsn=5 seq=6 type=NOOP checksum=ok",
      ].join("\n"),
    );
  });

  it("takes a file under any name: what is in quarantine can be looked at", async () => {
    const root = await directories.make();
    await writeFile(join(root, "0000000000000001.wal.57-147.deadbeef"), BYTES.subarray(57));
    const { segments } = await inspectWalPath(join(root, "0000000000000001.wal.57-147.deadbeef"));
    expect(present(segments[0]).rows.map(({ lsn }) => lsn)).toEqual([2, 3, 4]);
  });

  it("follows the LSNs from one segment to the next", async () => {
    const { segments } = await inspectWalPath(await dataDir(9));
    expect(segments.map(({ warnings }) => warnings)).toEqual([
      [],
      [{ kind: "NonMonotonicLsn", offset: 0, expected: 5, found: 9 }],
    ]);
  });

  it("never writes", async () => {
    const root = await dataDir();
    const path = join(root, "wal", "0000000000000002.wal");
    await writeFile(path, fill(70));
    const before = (await readdir(root, { recursive: true })).sort();
    await inspectWalPath(root);
    expect((await readdir(root, { recursive: true })).sort()).toEqual(before);
    expect(Uint8Array.from(await readFile(path))).toEqual(fill(70));
  });

  it("is empty for a directory without segments", async () => {
    expect(await inspectWalPath(await directories.make())).toEqual({ segments: [] });
  });

  it("KAYA_NOT_FOUND where there is nothing, with the path", async () => {
    const path = join(await directories.make(), "missing");
    const notFound = { code: "KAYA_NOT_FOUND", message: expect.stringContaining(path) };
    await expect(inspectWalPath(path)).rejects.toMatchObject(notFound);
    await expect(locateSegments(path)).rejects.toMatchObject(notFound);
  });
});
