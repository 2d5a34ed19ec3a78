import { isDamage, type SegmentLocation } from "@kaya/wal";
import type { Context } from "./context.js";
import { LogInspector } from "./inspect-segment.js";
import type { InspectionPrinter } from "./inspection-printer.js";
import type { RecordFilter } from "./record-filter.js";
import type { TablesLook } from "./tables-look.js";

export interface InspectionTask {
  readonly locations: readonly SegmentLocation[];
  /** Of a directory whose manifest can be read. */
  readonly tables: TablesLook | undefined;
  readonly filter: RecordFilter;
  /** The printer needs more than rows. */
  readonly withRecords: boolean;
}

/** Reads what is asked for and gives it to the printer. True where there is damage. */
export async function inspectLocations(
  context: Context,
  { locations, tables, filter, withRecords }: InspectionTask,
  printer: InspectionPrinter,
): Promise<boolean> {
  const inspector = new LogInspector(context, {
    coveredLsn: tables?.coveredLsn,
    lastLsn: filter.lsns.last,
    withRecords,
  });
  let isDamaged = false;
  await printer.begin();
  for (const location of locations) {
    if (inspector.isPast) break;
    await printer.segment(location);
    const warnings = await inspector.segment(location, (row, record) =>
      filter.accepts(row, record) ? printer.record(row, record) : undefined,
    );
    await printer.warnings(warnings);
    isDamaged ||= warnings.some(isDamage);
  }
  await printer.end();
  return isDamaged;
}
