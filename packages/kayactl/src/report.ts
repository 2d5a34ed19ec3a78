import type { RecoveryReport } from "@kaya/engine";
import { isDamage, type QuarantineSummary, type WalWarning } from "@kaya/wal";
import { formatTables } from "./inspect/tables-look.js";
import { escapeText } from "./terminal/text.js";
import { formatBytes, formatCount, plural } from "./units.js";

/** The report as JSON shows it. */
export function withoutRecords(report: RecoveryReport): Omit<RecoveryReport, "records"> {
  const { records: _records, ...rest } = report;
  return { ...rest, durationMs: Math.round(rest.durationMs * 1000) / 1000 };
}

/** What the report says, in names and values for people. */
export function reportRows(report: RecoveryReport): [name: string, value: string][] {
  const { tables, recordCount, firstLsn, lastLsn, lastSequence, truncatedBytes } = report;
  const coveredLsn = tables.covered.lsn;
  const rows: [string, string][] =
    tables.tables === 0 && coveredLsn === 0 ? [] : [["tables", formatTables({ ...tables, coveredLsn })]];
  rows.push(["records", formatCount(recordCount)]);
  if (firstLsn !== undefined && lastLsn !== undefined) {
    rows.push(["LSN", `${formatCount(firstLsn)} to ${formatCount(lastLsn)}`]);
  }
  if (lastSequence !== undefined) rows.push(["last sequence", formatCount(lastSequence)]);
  rows.push(["segments", formatCount(report.segments)], ["log bytes", formatBytes(report.validBytes)]);
  const cut = truncatedBytes === 0 ? "nothing" : formatBytes(truncatedBytes);
  rows.push([report.dryRun ? "would be cut" : "cut", cut]);
  for (const [index, path] of report.quarantined.entries()) {
    rows.push([index === 0 ? "kept in" : "", escapeText(path)]);
  }
  return [...rows, ...quarantineRows(report.quarantine)];
}

/** What is kept of earlier recoveries is a row only where there is something. */
export function quarantineRows({ files, bytes, torn }: QuarantineSummary): [name: string, value: string][] {
  if (files === 0) return [];
  const ends = torn.files === 0 ? "no torn ends" : `torn ends ${formatBytes(torn.bytes)}`;
  return [["quarantine", `${plural(files, "file", "files")}, ${formatBytes(bytes)}, of that ${ends}`]];
}

/** The warnings without those that only say again what another, or the report, has said. */
export function tellingWarnings({ warnings }: RecoveryReport): WalWarning[] {
  const endsInZeros = warnings.some(({ kind }) => kind === "ZeroFilledTail");
  return warnings.filter(({ kind }) => kind !== "Quarantined" && !(kind === "TailTruncated" && endsInZeros));
}

/** Space that was never written is cut as well, and is no damage. */
export function speaksOfDamage(report: RecoveryReport): boolean {
  return tellingWarnings(report).some(isDamage);
}
