import type { LogPosition } from "@kaya/core";
import type { LsmWarning } from "@kaya/lsm";

/** The tables that an opening found. */
export interface TablesReport {
  /** The position of the last record that the tables have: the log is replayed behind it. */
  readonly covered: LogPosition;
  /** How many tables there are. */
  readonly tables: number;
  /** Bytes of their files. */
  readonly bytes: number;
  /** Doubts about the tables' files that did not prevent the opening. */
  readonly warnings: readonly LsmWarning[];
}

export function reportOf(
  { covered, tables, bytes }: Omit<TablesReport, "warnings">,
  warnings: readonly LsmWarning[],
): TablesReport {
  return { covered, tables, bytes, warnings };
}
