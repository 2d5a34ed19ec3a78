import type { WalInspection, WalInspectionRow } from "./inspect.js";
import { formatWarningFields, type WalWarning } from "./warnings.js";

const NO_DAMAGE: readonly WalWarning["kind"][] = [
  "ZeroFilledTail",
  "UnknownFile",
  "LogIdRemoved",
  "QuarantineCleaned",
];

/** A line a record, then a line a warning; several segments each under a line of their own. */
export function formatInspection(inspection: WalInspection): string {
  const several = inspection.segments.length > 1;
  return inspection.segments
    .flatMap(({ segment, bytes, rows, warnings }) => [
      ...(several ? [`segment=${segment} bytes=${bytes} records=${rows.length}`] : []),
      ...rows.map(formatInspectionRow),
      ...warnings.map(formatInspectionWarning),
    ])
    .join("\n");
}

export function formatInspectionRow(row: WalInspectionRow): string {
  let line = `offset=${row.offset} lsn=${row.lsn} seq=${row.sequence} type=${row.type}`;
  if (row.keyLength !== undefined) line += ` key_len=${row.keyLength}`;
  if (row.valueLength !== undefined) line += ` value_len=${row.valueLength}`;
  if (row.expiresAt !== undefined) line += ` expires_at=${row.expiresAt}`;
  if (row.startLength !== undefined)
    line += ` start_len=${row.startLength} end_len=${row.endLength ?? "none"}`;
  if (row.operations !== undefined) line += ` operations=${row.operations}`;
  return `${line} checksum=ok`;
}

/** Space that was never written is no corruption, and is not called so. */
export function formatInspectionWarning(warning: WalWarning): string {
  return `${isDamage(warning) ? "CORRUPTION" : "NOTE"} ${formatWarningFields(warning)}`;
}

/** Whether a warning of an inspection speaks of damaged or missing bytes. */
export function isDamage(warning: WalWarning): boolean {
  return !NO_DAMAGE.includes(warning.kind);
}
