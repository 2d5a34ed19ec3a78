import type { WalInspection, WalInspectionRow } from "./inspect.js";
import { formatWarningFields, type WalWarning } from "./warnings.js";

const NO_DAMAGE: readonly WalWarning["kind"][] = [
  "ZeroFilledTail",
  "UnknownFile",
  "LogIdRemoved",
  "QuarantineCleaned",
];

/**
 * An inspection as text: a line for each record, then a line for each warning; several segments each under a
 * line with the name.
 */
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

/** A row as one line of `name=value` pairs. */
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

/** A warning as one line. Space that was never written is no corruption, and the line does not call it so. */
export function formatInspectionWarning(warning: WalWarning): string {
  return `${isDamage(warning) ? "CORRUPTION" : "NOTE"} ${formatWarningFields(warning)}`;
}

/** True if a warning of an inspection is about damaged or missing bytes. */
export function isDamage(warning: WalWarning): boolean {
  return !NO_DAMAGE.includes(warning.kind);
}
