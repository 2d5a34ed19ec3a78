import type { Lsn } from "@kaya/core";
import { isDamage, type SegmentLocation } from "@kaya/wal";
import type { Context } from "../context.js";
import { LogInspector } from "./inspect-segment.js";
import type { InspectionPrinter } from "./inspection-printer.js";
import type { RecordFilter } from "./record-filter.js";
import type { TablesLook } from "./tables-look.js";

export interface InspectionTask {
  readonly locations: readonly SegmentLocation[];
  /** Of a directory whose manifest can be read. */
  readonly tables: TablesLook | undefined;
  readonly filter: RecordFilter;
}

/** What was read, shown or not. */
export interface LogReading {
  readonly isDamaged: boolean;
  /** Records that the filter let through. */
  readonly shown: number;
  /** Of the log's first record, and of the last that was read; undefined where the log has none. */
  readonly firstLsn: Lsn | undefined;
  readonly lastLsn: Lsn | undefined;
}

/** Reads what is asked for and gives it to the printer. */
export async function inspectLocations(
  context: Context,
  { locations, tables, filter }: InspectionTask,
  printer: InspectionPrinter,
): Promise<LogReading> {
  const inspector = new LogInspector(context, { coveredLsn: tables?.coveredLsn, lastLsn: filter.lsns.last });
  const reading: { -readonly [K in keyof LogReading]: LogReading[K] } = {
    isDamaged: false,
    shown: 0,
    firstLsn: undefined,
    lastLsn: undefined,
  };
  await printer.begin();
  for (const location of locations) {
    if (inspector.passedLsn !== undefined) break;
    await printer.segment(location);
    const withRecords = filter.hasPrefix || printer.needsRecords === true;
    const warnings = await inspector.segment(
      location,
      (row, record) => {
        reading.firstLsn ??= row.lsn;
        reading.lastLsn = row.lsn;
        if (!filter.accepts(row, record)) return undefined;
        reading.shown++;
        return printer.record(row, record);
      },
      withRecords,
    );
    await printer.warnings(warnings);
    reading.isDamaged ||= warnings.some(isDamage);
  }
  await printer.end();
  reading.firstLsn ??= inspector.passedLsn;
  reading.lastLsn ??= inspector.passedLsn;
  return reading;
}
