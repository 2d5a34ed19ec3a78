import { KayaError, type RecoveryMode } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { recoverWal, type WalPayload, type WalRecord } from "../src/index.js";
import {
  batch,
  del,
  diskOf,
  encodeAll,
  fill,
  imageOf,
  noop,
  numbered,
  outcome,
  plain,
  put,
  QUARANTINE_DIR,
  segmentPath,
} from "./support.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 120_000 });

const MODES: readonly RecoveryMode[] = ["tail", "prefix", "absolute"];
const SEGMENTS: readonly (readonly WalPayload[])[] = [
  [put("a"), del("a"), batch(put("b", ""), del(""), put("c"))],
  [noop, put("d", fill(30)), batch(del("b"))],
  [put("e"), batch(put("f"), del("e")), noop, del("f"), put("", "")],
];
const LIMITS = { segmentMaxBytes: 1024 };
const RECORDS = numbered(SEGMENTS.flat());

interface Bounds {
  readonly bytes: Uint8Array;
  /** Records of the segments before. */
  readonly before: number;
  /** Where each of its records ends, from 0 on. */
  readonly ends: readonly number[];
}

const SEGMENT_BOUNDS: readonly Bounds[] = SEGMENTS.map((segment, index) => {
  const before = SEGMENTS.slice(0, index).flat().length;
  const records: readonly WalRecord[] = RECORDS.slice(before, before + segment.length);
  const ends = [0, ...records.map((_, count) => encodeAll(records.slice(0, count + 1)).length)];
  return { bytes: encodeAll(records), before, ends };
});

/** The segments as files, one of them with other bytes. */
function logWith(changed: number, bytes: Uint8Array, segments = SEGMENTS.length): SimDisk {
  const disk = new SimDisk();
  for (const [index, segment] of SEGMENT_BOUNDS.slice(0, segments).entries()) {
    disk.writeFile(segmentPath(index + 1), index === changed ? bytes : segment.bytes);
  }
  return disk;
}

interface Expected {
  readonly records: number;
  /** Bytes that must be in quarantine, or undefined where nothing may be. */
  readonly kept: Uint8Array | undefined;
  /** What is cut is space that was made ahead of the log, and nothing is said. */
  readonly isSpace?: boolean;
}

/** Recovers in `recovery` mode and checks everything that must hold whatever the damage is. Gives whether it went on. */
async function check(
  disk: SimDisk,
  recovery: RecoveryMode,
  expected: Expected,
  where: string,
): Promise<boolean> {
  const before = await imageOf(disk);
  const operations = disk.nextOperation;
  const result = await outcome(recoverWal({ ...LIMITS, recovery }, disk));
  if ("error" in result) {
    expect(KayaError.is(result.error, "KAYA_CORRUPTION"), `${where}: ${result.error}`).toBe(true);
    expect(disk.nextOperation, where).toBe(operations);
    return false;
  }
  const found = plain(result.value.records);
  expect(found, where).toEqual(plain(RECORDS.slice(0, expected.records)));
  const image = await imageOf(disk);
  const quarantined = Object.entries(image).flatMap(([path, hex]) =>
    path.startsWith(QUARANTINE_DIR) ? [hex] : [],
  );
  if (expected.kept === undefined) expect(quarantined, where).toEqual([]);
  else expect(quarantined, where).toContain(Buffer.from(expected.kept).toString("hex"));
  const isTold = JSON.stringify(image) !== JSON.stringify(before) && expected.isSpace !== true;
  expect(result.value.warnings.length > 0, where).toBe(isTold);
  const again = await recoverWal({ ...LIMITS, recovery: "absolute" }, disk);
  expect(plain(again.records), where).toEqual(found);
  expect(again.warnings, where).toEqual([]);
  expect(await imageOf(disk), where).toEqual(image);
  return true;
}

describe("every length that the last segment can be cut to", () => {
  const last = SEGMENT_BOUNDS.length - 1;
  const { bytes, before, ends } = SEGMENT_BOUNDS[last] as Bounds;

  for (const recovery of MODES) {
    it(`${recovery}: the whole records before the cut come back, and a torn one needs no quarantine`, async () => {
      for (let length = 0; length <= bytes.length; length++) {
        const whole = ends.filter((end) => end <= length).length - 1;
        const isTorn = !ends.includes(length);
        const disk = logWith(last, bytes.slice(0, length));
        const wentOn = await check(
          disk,
          recovery,
          { records: before + whole, kept: undefined },
          `length ${length}`,
        );
        expect(wentOn, `length ${length}`).toBe(!isTorn || recovery !== "absolute");
      }
    });
  }
});

describe.each([0, 1000])(
  "every write that ends early in space of zeros, %i bytes more than it needs",
  (more) => {
    const last = SEGMENT_BOUNDS.length - 1;
    const { bytes, before, ends } = SEGMENT_BOUNDS[last] as Bounds;

    for (const recovery of MODES) {
      it(`${recovery}: the whole records before it come back, a torn one is kept, and space is nothing to tell`, async () => {
        for (let length = 0; length <= bytes.length; length++) {
          const filled = new Uint8Array(bytes.length + more);
          filled.set(bytes.subarray(0, length));
          const zeros = filled.findLastIndex((byte) => byte !== 0) + 1;
          // A record that ends in zero bytes may be whole although its last bytes were not written.
          const whole = ends.findLastIndex((end) => end <= bytes.length && same(filled, bytes, end));
          const end = ends[whole] ?? 0;
          const isClean = end === filled.length;
          const onlyZeros = zeros <= end;
          const torn = filled.subarray(end, Math.ceil(zeros / 512) * 512);
          const kept = isClean || onlyZeros ? undefined : torn;
          const expected = { records: before + whole, kept, isSpace: onlyZeros };
          const wentOn = await check(logWith(last, filled), recovery, expected, `zeros from ${length}`);
          expect(wentOn, `zeros from ${length}`).toBe(isClean || onlyZeros || recovery !== "absolute");
        }
      });
    }
  },
);

const same = (one: Uint8Array, two: Uint8Array, length: number) =>
  Buffer.compare(one.subarray(0, length), two.subarray(0, length)) === 0;

describe("a single flipped bit", () => {
  const cases = [
    { name: "every bit of the last segment", segment: 2, segments: 3, closed: false, step: 1 },
    { name: "every bit of a closed segment", segment: 1, segments: 3, closed: true, step: 1 },
    { name: "every fifth bit of the first segment, closed", segment: 0, segments: 2, closed: true, step: 5 },
    { name: "every fifth bit of the only segment", segment: 0, segments: 1, closed: false, step: 5 },
  ];
  for (const { name, segment, segments, closed, step } of cases) {
    const { bytes, before, ends } = SEGMENT_BOUNDS[segment] as Bounds;
    for (const recovery of MODES) {
      const goesOn = recovery === "prefix" || (recovery === "tail" && !closed);
      it(`${name}, ${recovery}: ${goesOn ? "what stands before it comes back, the rest is kept" : "refused, nothing changed"}`, async () => {
        for (let bit = 0; bit < bytes.length * 8; bit += step) {
          const image = logWith(segment, bytes, segments);
          image.flipBit(segmentPath(segment + 1), bit >> 3, bit & 7);
          const record = ends.findLastIndex((end) => end <= bit >> 3);
          const damaged = image.readFile(segmentPath(segment + 1)) as Uint8Array;
          const end = ends[record] ?? 0;
          // A flipped length may make the last record one that looks torn, but never under a right header checksum.
          const expected = { records: before + record, kept: damaged.subarray(end) };
          expect(await check(image, recovery, expected, `bit ${bit}`), `bit ${bit}`).toBe(goesOn);
        }
      });
    }
  }
});

describe("any bytes at all under a segment's name", () => {
  it("R4: random files in random places end in a report or in a KayaError", async () => {
    const disk = logWith(0, SEGMENT_BOUNDS[0]?.bytes ?? fill(0), 1);
    const image = await imageOf(disk);
    let seed = 1;
    for (let round = 0; round < 300; round++) {
      const bytes = new Uint8Array(round).map(() => {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        return seed >>> 24;
      });
      for (const recovery of MODES) {
        const damaged = diskOf(image);
        damaged.writeFile(segmentPath(2), bytes);
        const result = await outcome(recoverWal({ ...LIMITS, recovery }, damaged));
        if ("error" in result) expect(KayaError.is(result.error, "KAYA_CORRUPTION")).toBe(true);
        else expect(result.value.recordCount).toBe(3);
      }
    }
  });
});
