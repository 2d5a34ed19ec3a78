import { open } from "node:fs/promises";
import { join } from "node:path";
import {
  encodeRecord,
  formatInspectionRow,
  formatInspectionWarning,
  inspectWalPath,
  isDamage,
  type SegmentInspection,
  type WalInspectionRow,
} from "@kaya/wal";
import { colors } from "./colors.js";

const SHOWN_LINES = 5;

interface LastSegment {
  readonly path: string;
  readonly inspection: SegmentInspection;
  /** Of the log: a segment that was just opened has none of its own. */
  readonly lastRecord: WalInspectionRow | undefined;
}

async function lastSegment(dataDir: string): Promise<LastSegment> {
  const { segments } = await inspectWalPath(dataDir);
  const inspection = segments.at(-1);
  if (inspection === undefined) throw new Error(`${dataDir} has no segment`);
  const lastRecord = segments.findLast((segment) => segment.rows.length > 0)?.rows.at(-1);
  return { path: join(dataDir, "wal", inspection.segment), inspection, lastRecord };
}

/**
 * Writes the first part of the record that would have come next, where it would have stood: the space behind it is
 * allocated already. Cutting the last whole record instead could take one that was
 * acknowledged, which no crash does.
 */
export async function tearLastRecord(
  dataDir: string,
): Promise<{ path: string; lsn: number; written: number; length: number }> {
  const { path, inspection, lastRecord: last } = await lastSegment(dataDir);
  const lsn = (last?.lsn ?? 0) + 1;
  const key = new TextEncoder().encode("order:never-acknowledged");
  const record = encodeRecord({
    lsn,
    sequence: (last?.sequence ?? 0) + 1,
    payload: { type: "put", key, value: key },
  });
  const part = record.subarray(0, Math.floor(0.7 * record.length));
  const before = inspection.rows.at(-1);
  const file = await open(path, "r+");
  try {
    await file.write(part, 0, part.length, before === undefined ? 0 : before.offset + before.encodedLength);
  } finally {
    await file.close();
  }
  return { path, lsn, written: part.length, length: record.length };
}

/** The last records of the last segment, and what is wrong with it. */
export async function printLastSegment(dataDir: string): Promise<void> {
  const { inspection } = await lastSegment(dataDir);
  const { segment, rows, warnings } = inspection;
  console.log(colors.dim(`  segment=${segment} bytes=${inspection.bytes} records=${rows.length}`));
  if (rows.length > SHOWN_LINES) console.log(colors.dim(`  (${rows.length - SHOWN_LINES} records before)`));
  for (const row of rows.slice(-SHOWN_LINES)) console.log(`  ${formatInspectionRow(row)}`);
  for (const warning of warnings) {
    const line = formatInspectionWarning(warning);
    console.log(`  ${isDamage(warning) ? colors.red(line) : line}`);
  }
}
