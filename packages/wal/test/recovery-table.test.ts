import { crc32c, type KayaErrorCode, type RecoveryMode } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import {
  RECOVERY_TABLE,
  recoverWal,
  type Situation,
  type WalRecoveryReport,
  type WalWarning,
} from "../src/index.js";
import { DAMAGED_LOGS, type DamagedLog, LIMITS, wholeLog } from "./damaged-logs.js";
import { imageOf, mutationsOf, outcome, plain, present, QUARANTINE_DIR } from "./support.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 120_000 });

type Row = readonly [
  tail: "go on" | KayaErrorCode,
  prefix: "go on" | KayaErrorCode,
  absolute: "go on" | KayaErrorCode,
];

/** DESIGN section 3, as it is written there. */
const TABLE: Readonly<Record<Situation, Row>> = {
  "zero-tail": ["go on", "go on", "go on"],
  "torn-tail": ["go on", "go on", "KAYA_CORRUPTION"],
  "damaged-tail": ["go on", "go on", "KAYA_CORRUPTION"],
  "damaged-tail-with-records-behind": ["go on", "go on", "KAYA_CORRUPTION"],
  "before-a-clean-close": ["KAYA_CORRUPTION", "go on", "KAYA_CORRUPTION"],
  "not-the-tail": ["KAYA_CORRUPTION", "go on", "KAYA_CORRUPTION"],
  "unknown-format": ["KAYA_UNSUPPORTED_VERSION", "KAYA_UNSUPPORTED_VERSION", "KAYA_UNSUPPORTED_VERSION"],
  "oversized-record": ["KAYA_INVALID_ARGUMENT", "KAYA_INVALID_ARGUMENT", "KAYA_INVALID_ARGUMENT"],
};
const MODES = ["tail", "prefix", "absolute"] as const;

interface Segment {
  readonly path: string;
  readonly bytes: Uint8Array;
}

const MAGIC = [0x41, 0x59, 0x41, 0x4b];

async function segmentsOf(disk: SimDisk): Promise<Segment[]> {
  const entries = await disk.list("wal");
  return entries.map(({ path }) => ({ path, bytes: present(disk.readFile(path)) }));
}

/** What a recovery that goes on must leave and say, from nothing but where the log ends. */
async function expectedOf(log: DamagedLog) {
  const segments = await segmentsOf(log.disk());
  const [endSegment, offset] = log.end;
  const tailIndex = log.wholeSegmentIsOut === true ? endSegment - 1 : endSegment;
  const whole = segments.slice(0, Math.max(tailIndex, 0));
  const tail = segments[tailIndex];
  const validLength = log.wholeSegmentIsOut === true ? (tail?.bytes.length ?? 0) : offset;
  const moved = segments.slice(tailIndex + 1);
  const cut = tail?.bytes.subarray(validLength, tail.bytes.length - (log.space ?? 0)) ?? new Uint8Array(0);
  const isTornInSpace = log.situation === "torn-tail" && log.space !== undefined;
  const keepsCut = cut.length > 0 && (log.situation !== "torn-tail" || isTornInSpace);
  // An unfinished write begins as a record, or with pages that were never written; what else is there was never a log's.
  const begins = cut.subarray(0, 4).every((byte, i) => byte === 0 || byte === MAGIC[i]);
  const end = isTornInSpace || (log.situation === "damaged-tail" && begins) ? ".torn" : "";
  const out: { path: string; from: number; bytes: Uint8Array; end: string }[] = [];
  if (keepsCut && tail !== undefined) out.push({ path: tail.path, from: validLength, bytes: cut, end });
  for (const { path, bytes } of moved.toReversed()) out.push({ path, from: 0, bytes, end: "" });
  const kept = out.map(({ path, from, bytes, end }) => ({
    path: `${path.replace("wal/", `${QUARANTINE_DIR}/`)}.${from}-${from + bytes.length}.${crc32c(bytes).toString(16).padStart(8, "0")}${end}`,
    from,
    bytes,
  }));
  const warnings: WalWarning[] = [...log.warnings];
  if (tail !== undefined && cut.length > 0) {
    warnings.push({ kind: "TailTruncated", path: tail.path, validLength, truncatedBytes: cut.length });
  }
  if (moved.length > 0) warnings.push({ kind: "TrailingSegmentsIgnored", count: moved.length });
  const left = [
    ...whole,
    ...(tail === undefined ? [] : [{ path: tail.path, bytes: tail.bytes.subarray(0, validLength) }]),
  ];
  const sum = (items: readonly { bytes: Uint8Array }[]) =>
    items.reduce((total, { bytes }) => total + bytes.length, 0);
  return {
    kept,
    warnings,
    image: Object.fromEntries(
      [...left, ...kept].map(({ path, bytes }) => [path, Buffer.from(bytes).toString("hex")]),
    ),
    numbers: {
      recordCount: log.records,
      segments: left.length,
      validBytes: sum(left),
      truncatedBytes: cut.length + sum(moved),
    },
  };
}

const numbersOf = ({ recordCount, segments, validBytes, truncatedBytes }: WalRecoveryReport) => ({
  recordCount,
  segments,
  validBytes,
  truncatedBytes,
});

it("every situation has its logs", () => {
  // What a log says by itself is not enough for this one: closed-log.test.ts.
  const situations = ["before-a-clean-close", ...DAMAGED_LOGS.map(({ situation }) => situation)];
  expect(new Set(situations)).toEqual(new Set(Object.keys(TABLE)));
  expect(Object.keys(RECOVERY_TABLE).sort()).toEqual(Object.keys(TABLE).sort());
});

for (const situation of new Set(DAMAGED_LOGS.map((log) => log.situation))) {
  describe(situation, () => {
    for (const [index, mode] of MODES.entries()) {
      const verdict = present(TABLE[situation][index]);
      for (const log of DAMAGED_LOGS.filter((damaged) => damaged.situation === situation)) {
        it(`${mode}: ${log.name}: ${verdict}`, () =>
          verdict === "go on" ? goesOn(log, mode) : refuses(log, mode, verdict));
      }
    }
  });
}

async function refuses(log: DamagedLog, recovery: RecoveryMode, code: KayaErrorCode): Promise<void> {
  for (const dryRun of [false, true]) {
    const disk = log.disk();
    const before = await imageOf(disk);
    const result = await outcome(recoverWal({ ...LIMITS, recovery }, disk, { dryRun }));
    if (!("error" in result)) throw new Error(`must refuse, found ${result.value.recordCount} records`);
    const path = present((await segmentsOf(disk))[log.end[0]]).path;
    expect(result.error).toMatchObject({ code, message: expect.stringContaining(`${path}: `) });
    expect(result.error).toMatchObject({ message: expect.stringContaining("Nothing was changed") });
    expect(mutationsOf(disk)).toEqual([]);
    expect(await imageOf(disk)).toEqual(before);
  }
}

async function goesOn(log: DamagedLog, recovery: RecoveryMode): Promise<void> {
  const expected = await expectedOf(log);
  const disk = log.disk();
  const before = await imageOf(disk);

  const dry = await recoverWal({ ...LIMITS, recovery }, disk, { dryRun: true });
  expect(numbersOf(dry)).toEqual(expected.numbers);
  expect(dry.warnings).toEqual(expected.warnings);
  expect(dry.quarantined).toEqual([]);
  expect(mutationsOf(disk)).toEqual([]);
  expect(await imageOf(disk)).toEqual(before);

  const report = await recoverWal({ ...LIMITS, recovery }, disk);
  expect(numbersOf(report)).toEqual(expected.numbers);
  expect(plain(report.records)).toEqual(plain(wholeLog().records.slice(0, log.records)));
  const last = report.records.at(-1)?.record;
  expect([report.firstLsn, report.lastLsn]).toEqual(
    last === undefined ? [undefined, undefined] : [1, last.lsn],
  );
  const quarantined = expected.kept.map(({ path, from, bytes }) => ({
    kind: "Quarantined",
    path,
    from,
    bytes: bytes.length,
  }));
  expect(report.warnings).toEqual([...expected.warnings, ...quarantined]);
  expect(report.quarantined).toEqual(expected.kept.map(({ path }) => path));
  expect(await imageOf(disk)).toEqual(expected.image);

  disk.crash();
  expect(await imageOf(disk), "all of it is durable").toEqual(expected.image);
  const again = await recoverWal({ ...LIMITS, recovery: "absolute" }, disk);
  expect(plain(again.records)).toEqual(plain(report.records));
  expect(again.warnings).toEqual([]);
  expect(await imageOf(disk), "and a second recovery changes nothing").toEqual(expected.image);
}
