import type { Bar } from "./charts.js";
import type { Segment } from "./log-model.js";
import { RECORD_TYPES } from "./page-data.js";

const MOST_BARS = 120;

/** How many bytes were written from one LSN to another, in at most `MOST_BARS` equal steps. */
export function lsnBars(
  segments: readonly Segment[],
  onClick: (lsn: number) => void,
): { bars: Bar[]; first: number; last: number } {
  const first = Math.min(...segments.map(({ firstLsn }) => firstLsn ?? Number.POSITIVE_INFINITY));
  const last = Math.max(...segments.map(({ lastLsn }) => lastLsn ?? 0));
  const step = Math.max(1, Math.ceil((last - first + 1) / MOST_BARS));
  const values = Array.from({ length: Math.ceil((last - first + 1) / step) }, () =>
    RECORD_TYPES.map(() => 0),
  );
  for (const { rows } of segments) {
    for (let item = 0; item < rows.length; item++) {
      const bar = values[Math.floor(((rows.lsns[item] ?? 0) - first) / step)];
      if (bar === undefined) continue;
      for (let type = 0; type < bar.length; type++) bar[type] = (bar[type] ?? 0) + rows.bytesOf(item, type);
    }
  }
  const bars = values.map((each, index) => {
    const from = first + index * step;
    const to = Math.min(last, from + step - 1);
    return {
      label: from === to ? `LSN ${from}` : `LSN ${from} to ${to}`,
      values: each,
      onClick: () => onClick(from),
    };
  });
  return { bars, first, last };
}
