import { crc32c } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import {
  encodeRecord,
  type Situation,
  type WalPayload,
  type WalRecord,
  type WalWarning,
} from "../src/index.js";
import {
  AT,
  flipped,
  headerCrcOf,
  resealHeader,
  u32,
  withPayload,
  withU16,
  withU32,
} from "./record-bytes.js";
import {
  batch,
  concat,
  del,
  encodeAll,
  fill,
  noop,
  numbered,
  present,
  put,
  segmentPath,
  writeLog,
} from "./support.js";

/** Limits that every record of the damaged logs keeps to, but for the ones that are too large on purpose. */
export const LIMITS = { segmentMaxBytes: 4096, maxRecordBytes: 1040 };

export interface DamagedLog {
  readonly name: string;
  readonly situation: Situation;
  readonly disk: () => SimDisk;
  /** Where the valid log ends: the segment's place in the list of those that are there, and an offset. */
  readonly end: readonly [segment: number, offset: number];
  /** The log ends with the segment before: nothing of `end`'s segment belongs to it. */
  readonly wholeSegmentIsOut?: true;
  /** Zeros at the end of the last segment that are space, and no part of what is cut. Default 0. */
  readonly space?: number;
  /** How many records stand before the end. */
  readonly records: number;
  /** What the scan finds; what follows from cutting is the same for all. */
  readonly warnings: readonly WalWarning[];
}

const SEGMENTS: readonly (readonly WalPayload[])[] = [
  [put("a"), del("a"), put("b", fill(100))],
  [batch(put("c"), del("b")), noop, put("d")],
  [put("e"), put("f", fill(100)), noop, put("g", fill(200))],
];
const RECORDS: readonly WalRecord[] = numbered(SEGMENTS.flat());
const encoded = (lsn: number) => encodeRecord(present(RECORDS[lsn - 1]));
const segmentBytes = (id: number) => {
  const before = SEGMENTS.slice(0, id - 1).flat().length;
  return encodeAll(RECORDS.slice(before, before + present(SEGMENTS[id - 1]).length));
};
const lengthOf = (...lsns: number[]) => lsns.reduce((sum, lsn) => sum + encoded(lsn).length, 0);

/** Whole segments 1 to 3, with changes. */
const logWith = (change: (disk: SimDisk) => void) => () => {
  const disk = new SimDisk();
  writeLog(disk, SEGMENTS);
  change(disk);
  return disk;
};
const replaced = (id: number, bytes: Uint8Array) => logWith((disk) => disk.writeFile(segmentPath(id), bytes));

// LSN 10 is the last record; segment 3 has LSN 7 to 10.
const BEFORE_LAST = lengthOf(7, 8, 9);
const lastReplaced = (record: Uint8Array) =>
  replaced(3, concat([encoded(7), encoded(8), encoded(9), record]));
const innerLog = encodeAll(numbered([put("x"), put("y")], 11, 12));

/** Of so many zeros behind `end`, those that do not share a sector with what is before them. */
function behindSector(end: number, zeros: number): number {
  return zeros - ((512 - (end % 512)) % 512);
}

function tails(): DamagedLog[] {
  const last = encoded(10);
  const withInnerLog = encodeRecord({ lsn: 10, sequence: 11, payload: put("g", innerLog) });
  const atLast = { end: [2, BEFORE_LAST], records: 9 } as const;
  const payloadDamage = (bad: Uint8Array, offset = BEFORE_LAST): WalWarning => ({
    kind: "BadPayloadChecksum",
    offset,
    expected: crc32c(bad.subarray(AT.payload)),
    actual: u32(bad, AT.payloadCrc),
  });
  const headerDamage = (bad: Uint8Array): WalWarning => ({
    kind: "BadHeaderChecksum",
    offset: BEFORE_LAST,
    expected: headerCrcOf(bad),
    actual: u32(bad, AT.headerCrc),
  });
  const badValue = flipped(last, 8 * 100);
  const badInner = flipped(withInnerLog, 8 * AT.payload + 8 * 8);
  const badHeader = flipped(last, 8 * AT.lsn);
  const malformed = withPayload(last, Uint8Array.from([1, 2, 3]));
  const whole = segmentBytes(3);
  const badEighth = flipped(encoded(8), 8 * 60);
  const garbage = fill(50, 0x5a);
  return [
    {
      name: "zeros behind the last record",
      situation: "zero-tail",
      disk: replaced(3, concat([whole, fill(500, 0)])),
      end: [2, whole.length],
      space: 500,
      records: 10,
      warnings: [],
    },
    {
      name: "fewer zeros than a header has",
      situation: "zero-tail",
      disk: replaced(3, concat([whole, fill(7, 0)])),
      end: [2, whole.length],
      space: 7,
      records: 10,
      warnings: [],
    },
    {
      name: "a last segment of only zeros",
      situation: "zero-tail",
      disk: replaced(3, fill(4096, 0)),
      end: [2, 0],
      space: 4096,
      records: 6,
      warnings: [],
    },
    {
      name: "a tear inside the header",
      situation: "torn-tail",
      disk: lastReplaced(last.subarray(0, 39)),
      ...atLast,
      warnings: [{ kind: "PartialHeader", offset: BEFORE_LAST }],
    },
    {
      name: "a tear inside the payload",
      situation: "torn-tail",
      disk: lastReplaced(last.subarray(0, last.length - 1)),
      ...atLast,
      warnings: [
        { kind: "PartialPayload", offset: BEFORE_LAST, expected: last.length, actual: last.length - 1 },
      ],
    },
    {
      name: "a torn record whose value is itself a log",
      situation: "torn-tail",
      disk: lastReplaced(
        encodeRecord({ lsn: 10, sequence: 11, payload: put("g", concat([innerLog, fill(9)])) }).slice(0, -5),
      ),
      ...atLast,
      warnings: [
        {
          kind: "PartialPayload",
          offset: BEFORE_LAST,
          expected: withInnerLog.length + 9,
          actual: withInnerLog.length + 4,
        },
      ],
    },
    ...[1, 2, 3].map(
      (length): DamagedLog => ({
        name: `${length} of the magic's bytes before space`,
        situation: "torn-tail",
        disk: lastReplaced(concat([last.subarray(0, length), fill(2000, 0)])),
        ...atLast,
        space: behindSector(BEFORE_LAST + length, 2000),
        warnings: [{ kind: "PartialHeader", offset: BEFORE_LAST }],
      }),
    ),
    {
      name: "a tear inside the header before space",
      situation: "torn-tail",
      disk: lastReplaced(concat([last.subarray(0, 30), fill(2000, 0)])),
      ...atLast,
      space: behindSector(BEFORE_LAST + 30, 2000),
      warnings: [{ kind: "PartialHeader", offset: BEFORE_LAST }],
    },
    {
      name: "a header alone before space",
      situation: "torn-tail",
      disk: lastReplaced(concat([last.subarray(0, 40), fill(2000, 0)])),
      ...atLast,
      space: behindSector(BEFORE_LAST + 40, 2000),
      warnings: [{ kind: "PartialPayload", offset: BEFORE_LAST, expected: last.length, actual: 40 }],
    },
    {
      name: "a tear inside the payload before space",
      situation: "torn-tail",
      disk: lastReplaced(concat([last.subarray(0, last.length - 1), fill(2000, 0)])),
      ...atLast,
      space: behindSector(BEFORE_LAST + last.length - 1, 2000),
      warnings: [
        { kind: "PartialPayload", offset: BEFORE_LAST, expected: last.length, actual: last.length - 1 },
      ],
    },
    {
      name: "a damaged last payload before space",
      situation: "damaged-tail",
      disk: lastReplaced(concat([badValue, fill(2000, 0)])),
      ...atLast,
      space: behindSector(BEFORE_LAST + badValue.length, 2000),
      warnings: [payloadDamage(badValue)],
    },
    {
      name: "a damaged last header before space",
      situation: "damaged-tail",
      disk: lastReplaced(concat([badHeader, fill(2000, 0)])),
      ...atLast,
      space: behindSector(BEFORE_LAST + badHeader.length, 2000),
      warnings: [headerDamage(badHeader)],
    },
    {
      name: "garbage before space",
      situation: "damaged-tail",
      disk: replaced(3, concat([whole, garbage, fill(2000, 0)])),
      end: [2, whole.length],
      space: behindSector(whole.length + garbage.length, 2000),
      records: 10,
      warnings: [{ kind: "BadMagic", offset: whole.length, found: 0x5a5a5a5a }],
    },
    {
      name: "damage with valid records behind it, before space: the last of them may end with zeros",
      situation: "damaged-tail-with-records-behind",
      disk: replaced(3, concat([encoded(7), badEighth, encoded(9), last, fill(300, 0)])),
      end: [2, lengthOf(7)],
      records: 7,
      warnings: [
        payloadDamage(badEighth, lengthOf(7)),
        { kind: "ValidRecordsBeyondDamage", count: 2, firstOffset: lengthOf(7, 8), firstLsn: 9, lastLsn: 10 },
      ],
    },
    {
      name: "a damaged last payload",
      situation: "damaged-tail",
      disk: lastReplaced(badValue),
      ...atLast,
      warnings: [payloadDamage(badValue)],
    },
    {
      name: "a damaged last payload whose value is itself a log",
      situation: "damaged-tail",
      disk: lastReplaced(badInner),
      ...atLast,
      warnings: [payloadDamage(badInner)],
    },
    {
      name: "a damaged last header",
      situation: "damaged-tail",
      disk: lastReplaced(badHeader),
      ...atLast,
      warnings: [headerDamage(badHeader)],
    },
    {
      name: "a last record whose shape is wrong under right checksums",
      situation: "damaged-tail",
      disk: lastReplaced(malformed),
      ...atLast,
      warnings: [
        {
          kind: "MalformedPayload",
          offset: BEFORE_LAST,
          message: "a PUT payload of 3 bytes has no room for its lengths",
        },
      ],
    },
    {
      name: "garbage behind the last record",
      situation: "damaged-tail",
      disk: replaced(3, concat([whole, garbage])),
      end: [2, whole.length],
      records: 10,
      warnings: [{ kind: "BadMagic", offset: whole.length, found: 0x5a5a5a5a }],
    },
    {
      name: "a zero header before other bytes",
      situation: "damaged-tail",
      disk: replaced(3, concat([whole, fill(100, 0), garbage])),
      end: [2, whole.length],
      records: 10,
      warnings: [{ kind: "BadMagic", offset: whole.length, found: 0 }],
    },
    ...unknownFormats((_, change) => {
      const bad = change(last);
      return { situation: "damaged-tail", disk: lastReplaced(bad), ...atLast, bad };
    }, "in a header that does not hold"),
    {
      name: "a length over the limit in a header that does not hold",
      situation: "damaged-tail",
      disk: lastReplaced(withU32(last, AT.payloadLength, 5000)),
      ...atLast,
      warnings: [{ kind: "OversizedPayload", offset: BEFORE_LAST, found: 5000, max: 1000 }],
    },
    {
      name: "a file that never was a log",
      situation: "damaged-tail",
      disk: () => {
        const disk = new SimDisk();
        disk.writeFile(
          segmentPath(1),
          new TextEncoder().encode("Dear diary, today I named a file 0000000000000001.wal."),
        );
        return disk;
      },
      end: [0, 0],
      records: 0,
      warnings: [{ kind: "BadMagic", offset: 0, found: 0x72616544 }],
    },
    {
      name: "damage with valid records behind it",
      situation: "damaged-tail-with-records-behind",
      disk: replaced(3, concat([encoded(7), badEighth, encoded(9), last])),
      end: [2, lengthOf(7)],
      records: 7,
      warnings: [
        payloadDamage(badEighth, lengthOf(7)),
        { kind: "ValidRecordsBeyondDamage", count: 2, firstOffset: lengthOf(7, 8), firstLsn: 9, lastLsn: 10 },
      ],
    },
    {
      name: "damage before a record of a wrong shape that holds a log itself",
      situation: "damaged-tail",
      disk: replaced(3, concat([encoded(7), badEighth, withPayload(encoded(9), innerLog)])),
      end: [2, lengthOf(7)],
      records: 7,
      warnings: [payloadDamage(badEighth, lengthOf(7))],
    },
    {
      name: "a lost page with valid records behind it",
      situation: "damaged-tail-with-records-behind",
      disk: replaced(3, concat([encoded(7), fill(lengthOf(8), 0), encoded(9), last])),
      end: [2, lengthOf(7)],
      records: 7,
      warnings: [
        { kind: "BadMagic", offset: lengthOf(7), found: 0 },
        { kind: "ValidRecordsBeyondDamage", count: 2, firstOffset: lengthOf(7, 8), firstLsn: 9, lastLsn: 10 },
      ],
    },
  ];
}

function notTheTail(): DamagedLog[] {
  const badFifth = flipped(encoded(5), 8 * AT.headerCrc);
  const afterFourth = lengthOf(4);
  const numberedFrom = (lsn: number, sequence: number, ...payloads: WalPayload[]) =>
    encodeAll(numbered(payloads, lsn, sequence));
  return [
    {
      name: "damage in a closed segment",
      situation: "not-the-tail",
      disk: replaced(2, concat([encoded(4), badFifth, encoded(6)])),
      end: [1, afterFourth],
      records: 4,
      warnings: [
        {
          kind: "BadHeaderChecksum",
          offset: afterFourth,
          expected: headerCrcOf(badFifth),
          actual: u32(badFifth, AT.headerCrc),
        },
        { kind: "ValidRecordsBeyondDamage", count: 1, firstOffset: lengthOf(4, 5), firstLsn: 6, lastLsn: 6 },
      ],
    },
    {
      name: "a closed segment that is too short",
      situation: "not-the-tail",
      disk: replaced(2, segmentBytes(2).slice(0, -1)),
      end: [1, lengthOf(4, 5)],
      records: 5,
      warnings: [
        { kind: "PartialPayload", offset: lengthOf(4, 5), expected: lengthOf(6), actual: lengthOf(6) - 1 },
      ],
    },
    {
      name: "zeros at the end of a closed segment",
      situation: "not-the-tail",
      disk: replaced(2, concat([segmentBytes(2), fill(60, 0)])),
      end: [1, lengthOf(4, 5, 6)],
      records: 6,
      warnings: [{ kind: "ZeroFilledTail", offset: lengthOf(4, 5, 6), bytes: 60 }],
    },
    {
      name: "a closed segment that lost its records",
      situation: "not-the-tail",
      disk: replaced(2, new Uint8Array(0)),
      end: [2, 0],
      wholeSegmentIsOut: true,
      records: 3,
      warnings: [{ kind: "NonMonotonicLsn", offset: 0, expected: 4, found: 7 }],
    },
    {
      name: "a missing middle segment",
      situation: "not-the-tail",
      disk: logWith((disk) => disk.removeDurably(segmentPath(2))),
      end: [1, 0],
      wholeSegmentIsOut: true,
      records: 3,
      warnings: [{ kind: "NonMonotonicLsn", offset: 0, expected: 4, found: 7 }],
    },
    {
      name: "a hole in the segment ids under unbroken LSNs",
      situation: "not-the-tail",
      disk: logWith((disk) => {
        disk.writeFile(segmentPath(5), segmentBytes(3));
        disk.removeDurably(segmentPath(3));
      }),
      end: [2, 0],
      wholeSegmentIsOut: true,
      records: 6,
      warnings: [],
    },
    {
      name: "a missing first segment",
      situation: "not-the-tail",
      disk: logWith((disk) => disk.removeDurably(segmentPath(1))),
      end: [0, 0],
      wholeSegmentIsOut: true,
      records: 0,
      warnings: [{ kind: "NonMonotonicLsn", offset: 0, expected: 1, found: 4 }],
    },
    {
      name: "a duplicated segment",
      situation: "not-the-tail",
      disk: logWith((disk) => disk.writeFile(segmentPath(4), segmentBytes(3))),
      end: [3, 0],
      wholeSegmentIsOut: true,
      records: 10,
      warnings: [{ kind: "NonMonotonicLsn", offset: 0, expected: 11, found: 7 }],
    },
    {
      name: "an LSN gap inside the last segment",
      situation: "not-the-tail",
      disk: replaced(3, concat([encoded(7), encoded(9), encoded(10)])),
      end: [2, lengthOf(7)],
      records: 7,
      warnings: [{ kind: "NonMonotonicLsn", offset: lengthOf(7), expected: 8, found: 9 }],
    },
    {
      name: "a record twice inside the last segment",
      situation: "not-the-tail",
      disk: replaced(3, concat([encoded(7), encoded(7), encoded(8)])),
      end: [2, lengthOf(7)],
      records: 7,
      warnings: [{ kind: "NonMonotonicLsn", offset: lengthOf(7), expected: 8, found: 7 }],
    },
    {
      name: "a sequence that goes back",
      situation: "not-the-tail",
      disk: replaced(3, numberedFrom(7, 7, put("e"))),
      end: [2, 0],
      wholeSegmentIsOut: true,
      records: 6,
      warnings: [
        {
          kind: "MalformedPayload",
          offset: 0,
          message: "sequence 7 stands where 8 is the least that can follow",
        },
      ],
    },
    {
      name: "a log that begins with LSN 0",
      situation: "not-the-tail",
      disk: replaced(1, numberedFrom(0, 1, put("e"))),
      end: [0, 0],
      wholeSegmentIsOut: true,
      records: 0,
      warnings: [{ kind: "NonMonotonicLsn", offset: 0, expected: 1, found: 0 }],
    },
  ];
}

function refusedEverywhere(): DamagedLog[] {
  const at = {
    last: { end: [2, BEFORE_LAST], records: 9 },
    closed: { end: [1, lengthOf(4)], records: 4 },
  } as const;
  const inLast = (bad: Uint8Array) => ({ disk: lastReplaced(bad), ...at.last });
  const inClosed = (bad: Uint8Array) => ({
    disk: replaced(2, concat([encoded(4), bad, encoded(6)])),
    ...at.closed,
  });
  const oversized = encodeRecord({ lsn: 10, sequence: 11, payload: put("g", fill(2000)) });
  const tooLarge = (offset: number): WalWarning => ({
    kind: "OversizedPayload",
    offset,
    found: 2009,
    max: 1000,
  });
  return [
    ...unknownFormats((_, change) => {
      const bad = resealHeader(change(encoded(10)));
      return { situation: "unknown-format", ...inLast(bad), bad };
    }, "in the last record"),
    ...unknownFormats((_, change) => {
      const bad = resealHeader(change(encoded(5)));
      return { situation: "unknown-format", ...inClosed(bad), bad };
    }, "in a closed segment"),
    ...[inLast, inClosed].map((place, isClosed): DamagedLog => {
      const [lsn, where] = isClosed === 1 ? [5, "in a closed segment"] : [10, "in the last record"];
      const record = encodeRecord({ lsn, sequence: lsn + 1, payload: batch(del("k")) });
      const log = place(withPayload(record, Uint8Array.of(1, 0, 0, 0, 9)));
      const bad = { kind: "UnknownOperation", offset: log.end[1], found: 9 } as const;
      return { name: `${bad.kind} ${where}`, situation: "unknown-format", ...log, warnings: [bad] };
    }),
    {
      name: "a record over the limit, whole",
      situation: "oversized-record",
      ...inLast(oversized),
      warnings: [tooLarge(BEFORE_LAST)],
    },
    {
      name: "a record over the limit, torn behind its header",
      situation: "oversized-record",
      ...inLast(oversized.subarray(0, 300)),
      warnings: [tooLarge(BEFORE_LAST)],
    },
    {
      name: "a record over the limit in a closed segment",
      situation: "oversized-record",
      ...inClosed(encodeRecord({ lsn: 5, sequence: 6, payload: put("g", fill(2000)) })),
      warnings: [tooLarge(lengthOf(4))],
    },
  ];
}

/** The same log with each thing in its header that a newer version could have put there. */
function unknownFormats(
  make: (
    kind: string,
    change: (record: Uint8Array) => Uint8Array,
  ) => Omit<DamagedLog, "name" | "warnings"> & { bad: Uint8Array },
  where: string,
): DamagedLog[] {
  const fields = [
    ["UnsupportedVersion", AT.version, 2],
    ["BadHeaderLength", AT.headerLength, 48],
    ["UnknownFlags", AT.flags, 1],
    ["UnknownRecordType", AT.recordType, 99],
  ] as const;
  return fields.map(([kind, field, found]) => {
    const { bad: _, ...log } = make(kind, (record) => withU16(record, field, found));
    return { ...log, name: `${kind} ${where}`, warnings: [{ kind, offset: log.end[1], found }] };
  });
}

/** Every row of the recovery table, several times. */
export const DAMAGED_LOGS: readonly DamagedLog[] = [...tails(), ...notTheTail(), ...refusedEverywhere()];

/** The whole log that the damaged ones are made from. */
export const wholeLog = (): { disk: SimDisk; records: readonly WalRecord[] } => ({
  disk: logWith(() => undefined)(),
  records: RECORDS,
});
