import { formatBytes, plural } from "../units.js";
import type { PageSegment } from "./page-data.js";

/** Without the zeros before it. */
export function shortName(name: string): string {
  return name.replace(/^0+(?=[0-9a-f]+\.)/, "…");
}

export function lsnRange({ firstLsn, lastLsn }: PageSegment): string {
  return firstLsn === undefined ? "no records" : `LSN ${firstLsn}–${lastLsn}`;
}

/** A segment in one sentence. */
export function segmentLabel(segment: PageSegment): string {
  const { name, records, bytes, ranges } = segment;
  const has = (kind: string) => ranges.some((range) => range.kind === kind);
  const state = has("damage") ? ", damaged" : has("torn") ? ", with an unfinished write at its end" : "";
  return `${name}: ${lsnRange(segment)}, ${plural(records, "record")}, ${formatBytes(bytes)}${state}`;
}
