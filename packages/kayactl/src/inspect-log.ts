import type { Lsn } from "@kaya/core";
import type { CheckpointDirectory } from "@kaya/engine";
import { isDamage, type SegmentLocation, type WalInspectionRow } from "@kaya/wal";
import { coveredLsn } from "./checkpoint-files.js";
import type { Context } from "./context.js";
import { LogInspector } from "./inspect-segment.js";
import type { InspectionPrinter } from "./inspection-printer.js";
import type { RecordFilter } from "./record-filter.js";

export interface InspectionTask {
  readonly locations: readonly SegmentLocation[];
  /** Of a directory. */
  readonly checkpoints: CheckpointDirectory | undefined;
  readonly filter: RecordFilter;
  /** The printer needs more than rows. */
  readonly withRecords: boolean;
}

export interface Verdict {
  readonly isDamaged: boolean;
  /** What is wrong besides the printer's warnings. */
  readonly note?: string;
}

/** Reads what is asked for and gives it to the printer. */
export async function inspectLocations(
  context: Context,
  task: InspectionTask,
  printer: InspectionPrinter,
): Promise<Verdict> {
  const [only] = task.locations;
  const lsn = only === undefined ? undefined : coveredLsn(only.name);
  return only !== undefined && lsn !== undefined
    ? await inspectCheckpoint(context, task, only, lsn, printer)
    : await inspectLog(context, task, printer);
}

async function inspectLog(
  context: Context,
  { locations, checkpoints, filter, withRecords }: InspectionTask,
  printer: InspectionPrinter,
): Promise<Verdict> {
  const inspector = new LogInspector(context, {
    coveredLsn: checkpoints?.newest?.lsn,
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
  return { isDamaged };
}

/** Damage is also where it is not whole: then it cannot be opened, whatever is wrong with it. */
async function inspectCheckpoint(
  context: Context,
  { filter, withRecords }: InspectionTask,
  location: SegmentLocation,
  lsn: Lsn,
  printer: InspectionPrinter,
): Promise<Verdict> {
  const inspector = new LogInspector(context, { lastLsn: filter.lsns.last, withRecords });
  inspector.expect(lsn);
  let rows = 0;
  let hasOpening = false;
  let last: WalInspectionRow["type"] | undefined;
  await printer.begin();
  await printer.segment(location);
  const warnings = await inspector.segment(location, (row, record) => {
    if (rows++ === 0) hasOpening = namesLog(row);
    last = row.type;
    return filter.accepts(row, record) ? printer.record(row, record) : undefined;
  });
  await printer.warnings(warnings);
  await printer.end();
  if (warnings.some(isDamage)) return { isDamaged: true };
  const isWhole = hasOpening && rows > 1 && last === "NOOP" && warnings.length === 0;
  if (isWhole || inspector.isPast) return { isDamaged: false };
  const note = `${location.name} is no whole checkpoint: one begins with the id of its log and ends with a NOOP`;
  return { isDamaged: true, note };
}

/** The first record of a checkpoint puts the id of the log, 16 digits, under the key `log-id`. */
function namesLog({ type, keyLength, valueLength }: WalInspectionRow): boolean {
  return type === "PUT" && keyLength === "log-id".length && valueLength === 16;
}
