import type { Lsn } from "@kaya/core";
import { WAL_HEADER_LENGTH } from "@kaya/wal";
import { isRange } from "./state.js";
import type { Attempt } from "./timeline.js";
import type { World } from "./world.js";

/** More than an operation takes beside its key and value. */
const OPERATION_BYTES = 16;

/** Whether the log behind an LSN may have outgrown what is kept for consumers: never less than it takes, with the segment that it begins in. */
export function mayOutgrowWhatIsKept(
  lsn: Lsn,
  { timeline, maxKeptLogBytes, largestSegmentBytes }: World,
): boolean {
  if (maxKeptLogBytes === undefined) return false;
  let before = 0;
  let behind = 0;
  for (const attempt of timeline.attempts()) {
    if (attempt.lastLsn > lsn) behind += mostBytesOf(attempt);
    else before += mostBytesOf(attempt);
  }
  return Math.min(before, largestSegmentBytes) + behind > maxKeptLogBytes;
}

/** As if each change were a record of its own. */
function mostBytesOf({ changes }: Attempt): number {
  const bytes = changes.reduce((sum, change) => {
    const [first, second = ""] = isRange(change) ? [change.start, change.end] : [change.key, change.value];
    return sum + first.length + second.length;
  }, 0);
  return bytes + Math.max(1, changes.length) * (WAL_HEADER_LENGTH + OPERATION_BYTES);
}
