import { KayaError, type KayaErrorCode, type Lsn } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { type LogReading, readLog } from "../src/index.js";
import {
  imageOf,
  mutationsOf,
  outcome,
  PassingDisk,
  present,
  put,
  segmentPath,
  writeLog,
} from "./support.js";

const [ONE, TWO, THREE] = [segmentPath(1), segmentPath(2), segmentPath(3)];
/** Three segments of two records: LSN 1 to 6. */
const SEGMENTS = [
  [put("a"), put("b")],
  [put("c"), put("d")],
  [put("e"), put("f")],
];

function threeSegments(): SimDisk {
  const disk = new SimDisk();
  writeLog(disk, SEGMENTS);
  return disk;
}

/** Segments `from` to `to` of those. */
function someSegments(from: number, to = 3): SimDisk {
  const all = threeSegments();
  const disk = new SimDisk();
  for (let id = from; id <= to; id++) disk.writeFile(segmentPath(id), present(all.readFile(segmentPath(id))));
  return disk;
}

interface Read extends LogReading {
  readonly lsns: readonly Lsn[];
}

async function read(disk: SimDisk | PassingDisk, after: Lsn, through: Lsn): Promise<Read> {
  const lsns: Lsn[] = [];
  const reading = await readLog(disk, {
    maxRecordBytes: 1000,
    after: { lsn: after, sequence: after },
    through,
    onRecord: ({ record }) => lsns.push(record.lsn),
  });
  return { ...reading, lsns };
}

async function refused(disk: SimDisk, after: Lsn, through: Lsn): Promise<[KayaErrorCode, string]> {
  const result = await outcome(read(disk, after, through));
  if ("value" in result || !KayaError.is(result.error)) throw new Error("it was not refused");
  return [result.error.code, result.error.message];
}

/** A disk that says which files were opened. */
class TellingDisk extends PassingDisk {
  readonly opened: string[] = [];
  override open(...args: Parameters<PassingDisk["open"]>): ReturnType<PassingDisk["open"]> {
    this.opened.push(args[0]);
    return super.open(...args);
  }
}

describe("a part of the log", () => {
  it("is read between any two LSNs, and nothing is changed", async () => {
    const disk = threeSegments();
    const image = await imageOf(disk);
    for (let after = 0; after <= 6; after++) {
      for (let through = after + 1; through <= 6; through++) {
        const lsns = Array.from({ length: through - after }, (_, i) => after + 1 + i);
        expect(await read(disk, after, through)).toEqual({ lastLsn: through, lsns });
      }
    }
    expect(await imageOf(disk)).toEqual(image);
    expect(mutationsOf(disk)).toEqual([]);
  });

  it("ends where the log does, also at a torn record, at zeros, and where there is none", async () => {
    const disk = threeSegments();
    expect(await read(disk, 4, 9)).toEqual({ lastLsn: 6, lsns: [5, 6] });
    const last = present(disk.readFile(THREE));
    disk.writeFile(THREE, last.subarray(0, last.length - 1));
    expect(await read(disk, 4, 9)).toEqual({ lastLsn: 5, lsns: [5] });
    disk.writeFile(THREE, new Uint8Array(100));
    expect(await read(disk, 0, 9)).toEqual({ lastLsn: 4, lsns: [1, 2, 3, 4] });
    expect(await read(new SimDisk(), 7, 9)).toEqual({ lastLsn: 7, lsns: [] });
  });

  it("is read whatever stands behind it, in its segment and in later ones, or is missing there", async () => {
    const disk = threeSegments();
    disk.flipBit(TWO, present(disk.readFile(TWO)).length - 1, 0); // in LSN 4
    disk.writeFile(THREE, Uint8Array.from([1, 2, 3]));
    expect(await read(disk, 0, 3)).toEqual({ lastLsn: 3, lsns: [1, 2, 3] });
    await disk.remove(TWO);
    expect(await read(disk, 0, 2)).toEqual({ lastLsn: 2, lsns: [1, 2] });
  });

  it("is read whatever segments wholly before it are like", async () => {
    for (const offset of [0, 45]) {
      const disk = threeSegments();
      disk.flipBit(ONE, offset, 0);
      expect(await read(disk, 2, 5)).toEqual({ lastLsn: 5, lsns: [3, 4, 5] });
      disk.flipBit(TWO, offset, 0);
      expect(await read(disk, 4, 5)).toEqual({ lastLsn: 5, lsns: [5] });
    }
    expect(await read(someSegments(2), 2, 5)).toEqual({ lastLsn: 5, lsns: [3, 4, 5] });
  });

  it("takes no more of the other segments than the header of their first record", async () => {
    const disk = new TellingDisk(threeSegments());
    await read(disk, 2, 4);
    expect(disk.opened).toEqual([ONE, TWO, THREE, TWO]);
  });

  it("that is damaged is refused with file and offset, in whichever segment", async () => {
    for (const path of [ONE, TWO, THREE]) {
      const disk = threeSegments();
      const offset = present(disk.readFile(path)).length / 2;
      disk.flipBit(path, offset + 45, 0);
      const [code, message] = await refused(disk, 0, 6);
      expect(code).toBe("KAYA_CORRUPTION");
      expect(message).toContain(`${path}: offset ${offset}: `);
      expect(message).toContain("Nothing was changed.");
    }
  });

  it("that was cut short in a closed segment is refused: only the last one can be torn", async () => {
    const disk = threeSegments();
    disk.writeFile(TWO, present(disk.readFile(TWO)).subarray(0, 50));
    const [code, message] = await refused(disk, 0, 6);
    expect([code, message]).toEqual(["KAYA_CORRUPTION", expect.stringContaining(TWO)]);
  });

  it("with a record over the limit is refused as that", async () => {
    const disk = threeSegments();
    const options = { after: { lsn: 0, sequence: 0 }, through: 6, onRecord: () => undefined };
    await expect(readLog(disk, { ...options, maxRecordBytes: 45 })).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
    });
  });

  it("whose beginning or middle is not there is told as a gap, with what was there before it", async () => {
    for (const [disk, after, lsns] of [
      [someSegments(2), 0, []],
      [someSegments(3), 3, []],
    ] as const) {
      const { gap, ...rest } = await read(disk, after, 6);
      expect(rest).toEqual({ lastLsn: after, lsns });
      expect(gap).toMatchObject({ code: "KAYA_CORRUPTION" });
    }
    const holed = threeSegments();
    await holed.remove(TWO);
    const { gap, ...rest } = await read(holed, 1, 6);
    expect(rest).toEqual({ lastLsn: 2, lsns: [2] });
    expect(gap?.message).toContain(`${THREE}: offset 0: found LSN 5 where 3 must follow`);
  });

  it("that goes back is no gap: it is refused", async () => {
    const disk = threeSegments();
    disk.writeFile(THREE, present(disk.readFile(ONE)));
    const [code, message] = await refused(disk, 0, 6);
    expect([code, message]).toEqual(["KAYA_CORRUPTION", expect.stringContaining(THREE)]);
    // A copy that comes last does not take the place of the segment in which the records belong.
    expect(await read(disk, 0, 4)).toEqual({ lastLsn: 4, lsns: [1, 2, 3, 4] });
  });
});
