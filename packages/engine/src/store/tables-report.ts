import type { LogPosition } from "@kaya/core";
import type { LsmWarning } from "@kaya/lsm";

/** The tables that an opening found. */
export interface TablesReport {
  /** The last record of the log that is in them, and its last operation: the log is replayed behind it. */
  readonly covered: LogPosition;
  readonly tables: number;
  /** Of their files. */
  readonly bytes: number;
  readonly warnings: readonly LsmWarning[];
}

export function reportOf(
  { covered, tables, bytes }: Omit<TablesReport, "warnings">,
  warnings: readonly LsmWarning[],
): TablesReport {
  return { covered, tables, bytes, warnings };
}
