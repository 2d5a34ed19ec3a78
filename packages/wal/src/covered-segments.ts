import type { Lsn } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { WAL_HEADER_LENGTH } from "./format.js";
import { lsnOfHeader } from "./record-codec.js";
import type { SegmentFile } from "./segments.js";

/** A segment whose records the tables cover, all of them. */
export interface CoveredSegment extends SegmentFile {
  /** The segment ends with this record or before it. */
  readonly lastLsn: Lsn;
}

export interface CoveredSegments {
  /** The first segments of the log, in order. */
  readonly segments: readonly CoveredSegment[];
  /** The records behind this LSN follow one another without a gap, as far as the segments' first records tell. */
  readonly beginsAfter: Lsn;
}

const NONE: CoveredSegments = { segments: [], beginsAfter: 0 };

/**
 * The segments that need not be read if everything up to `after` is known (R6): the next segment begins at or before the record behind
 * `after`. Reads only first records. It ends at one that is not whole or out of order: doubtful segments are read.
 * @throws KayaError KAYA_IO
 */
export async function findCovered(
  disk: Disk,
  files: readonly SegmentFile[],
  after: Lsn,
): Promise<CoveredSegments> {
  const [first] = files;
  if (after === 0 || first === undefined || files.length === 1) return NONE;
  const segments: CoveredSegment[] = [];
  let before = { file: first, firstLsn: await firstLsn(disk, first.path) };
  let beginsAfter = (before.firstLsn ?? 1) - 1;
  for (const file of files.slice(1)) {
    const next = await firstLsn(disk, file.path);
    if (before.firstLsn === undefined || next === undefined) break;
    if (next <= before.firstLsn || next > after + 1) break;
    segments.push({ ...before.file, lastLsn: next - 1 });
    if (file.id !== before.file.id + 1) beginsAfter = next - 1;
    before = { file, firstLsn: next };
  }
  return segments.length === 0 ? NONE : { segments, beginsAfter };
}

/** The LSN of a segment's first record, as its header says; undefined where that is not whole, or of another version. */
export async function firstLsn(disk: Disk, path: string): Promise<Lsn | undefined> {
  const header = new Uint8Array(WAL_HEADER_LENGTH);
  const file = await disk.open(path, { readOnly: true });
  try {
    const length = await file.readAt(0, header);
    return lsnOfHeader(header.subarray(0, length));
  } finally {
    await file.close();
  }
}
