import { escapeText } from "../terminal/text.js";
import { formatCount } from "../units.js";
import type { InspectionTask, LogReading } from "./inspect-log.js";
import type { InspectOptions } from "./inspect-options.js";

/** Says why filters let no record through, and what is there. Undefined where something was shown, or no filter is set. */
export function nothingShown(
  { filter, tables }: InspectionTask,
  { key }: InspectOptions,
  { shown, firstLsn, lastLsn }: LogReading,
): string | undefined {
  if (shown > 0 || filter.acceptsAll) return undefined;
  const { first, last } = filter.lsns;
  const covered = tables?.coveredLsn ?? 0;
  const inTables = covered > 0 ? `; the tables cover the log through LSN ${formatCount(covered)}` : "";
  if (lastLsn === undefined || firstLsn === undefined) return `the log has no records${inTables}`;
  const noSuchLsn = `no record has LSN ${rangeText(first, last)}`;
  if (lastLsn < first) return `${noSuchLsn}: the last record has LSN ${formatCount(lastLsn)}`;
  if (last < firstLsn) return `${noSuchLsn}: the first record has LSN ${formatCount(firstLsn)}${inTables}`;
  if (key === undefined) return noSuchLsn;
  const [from, to] = [Math.max(first, firstLsn), Math.min(last, lastLsn)];
  return `no record from LSN ${formatCount(from)} to ${formatCount(to)} has a key that begins with ${escapeText(JSON.stringify(key))}${inTables}`;
}

function rangeText(first: number, last: number): string {
  if (first === last) return formatCount(first);
  if (last === Number.POSITIVE_INFINITY) return `${formatCount(first)} or more`;
  return first === 0 ? `${formatCount(last)} or less` : `${formatCount(first)} to ${formatCount(last)}`;
}
