import { isDeepStrictEqual } from "node:util";
import { KayaError, type Lsn } from "@kaya/core";
import type { DiskFile } from "@kaya/io";
import { isZero } from "./file-copy.js";
import { FileWindow } from "./file-window.js";
import { MAGIC_BYTES, WAL_HEADER_LENGTH, WAL_MAGIC } from "./format.js";
import { takeView } from "./payload-codec.js";
import { decodeAt, recordLengthAt } from "./record-codec.js";
import { intactSituation } from "./recovery-decision.js";
import { type DamagedEnd, type ScanEnd, scanSegment, type TornEnd } from "./scanner.js";
import { isInsideRecord, type RecordWarning } from "./warnings.js";

/** What follows the valid records of a segment. */
export interface DamageSurvey {
  /**
   * Offset behind the last byte that is not zero, or of the damage where there is none: what follows may be space that a writer made ahead of
   * the log (W8).
   */
  readonly end: number;
  /** The bytes have changed meanwhile: another process writes to the log. */
  readonly movedOn?: boolean;
  /** Records that are valid by themselves, although the log does not reach them. */
  readonly beyond?: {
    readonly count: number;
    readonly firstOffset: number;
    readonly firstLsn: Lsn;
    readonly lastLsn: Lsn;
  };
}

interface Found {
  count: number;
  firstOffset: number;
  firstLsn: Lsn;
  lastLsn: Lsn;
}

/** Looks at what follows the place where a scan stopped. */
export async function surveyDamage(
  file: DiskFile,
  fileLength: number,
  stop: TornEnd | DamagedEnd,
  maxRecordBytes: number,
): Promise<DamageSurvey> {
  const { offset } = stop;
  // If the header holds, skip its whole record: a value that is itself a log must not be taken for one.
  const resumeAt = stop.kind === "damaged" ? stop.resumeAt : fileLength;
  const end = await endOfBytes(file, fileLength, offset);
  const found: Found = { count: 0, firstOffset: 0, firstLsn: 0, lastLsn: 0 };
  if (end > resumeAt) await searchRecords(file, fileLength, resumeAt, maxRecordBytes, found);
  if (end > offset && (await hasMovedOn(file, fileLength, stop, maxRecordBytes)))
    return { end: offset, movedOn: true };
  return found.count === 0 ? { end } : { end, beyond: found };
}

/** Offset behind the last byte that is not zero, `from` where there is none. */
async function endOfBytes(file: DiskFile, fileLength: number, from: number): Promise<number> {
  const window = new FileWindow(file, fileLength);
  let end = from;
  for (let offset = from; offset < fileLength; offset = window.end) {
    await window.moveTo(offset, 1);
    if (isZero(window.bytes)) continue;
    end = window.start + window.bytes.findLastIndex((byte) => byte !== 0) + 1;
  }
  return end;
}

/**
 * Whether the bytes where the scan ended have changed. A writer fills space (W8) in order; a reader beside it may see old zeros and the new
 * records behind them. Records acknowledged before the scan began stand before its end all the same.
 */
async function hasMovedOn(
  file: DiskFile,
  fileLength: number,
  end: ScanEnd,
  maxRecordBytes: number,
): Promise<boolean> {
  const onRecord = () => false;
  const now = await scanSegment(file, fileLength, { maxRecordBytes, from: end.offset, onRecord });
  return !isDeepStrictEqual(now, end);
}

/**
 * If only zeros follow from inside the record on, a crash tore its write in space that existed before (W8). It is reported like a record
 * torn at the end of a file. Undefined otherwise.
 */
export function tornBeforeZeros(damaged: ScanEnd, { end }: DamageSurvey): TornEnd | undefined {
  if (damaged.kind !== "damaged" || intactSituation(damaged) !== undefined) return undefined;
  const { offset, warning, resumeAt, headerHolds } = damaged;
  const behindRecord = headerHolds ? resumeAt : offset + WAL_HEADER_LENGTH;
  if (end === offset || end >= behindRecord) return undefined;
  const torn: RecordWarning = headerHolds
    ? { kind: "PartialPayload", offset, expected: resumeAt - offset, actual: end - offset }
    : { kind: "PartialHeader", offset };
  const plain = warning.kind !== "BadMagic" || isCutMagic(warning.found);
  return { kind: "torn", offset, warning: torn, plain, inSpace: true };
}

/** Whether it is the magic with its last bytes as zeros. */
function isCutMagic(found: number): boolean {
  return [0xff, 0xffff, 0xffffff].some((mask) => found === (WAL_MAGIC & mask));
}

async function searchRecords(
  file: DiskFile,
  fileLength: number,
  from: number,
  maxRecordBytes: number,
  found: Found,
): Promise<void> {
  const window = new FileWindow(file, fileLength);
  let offset = from;
  let atLeast = WAL_HEADER_LENGTH;
  while (offset + WAL_HEADER_LENGTH <= fileLength) {
    await window.moveTo(offset, atLeast);
    const next = searchWindow(window, maxRecordBytes, found);
    if (next.offset + next.needs > fileLength) return;
    if (next.offset === offset && next.needs <= window.bytes.length) {
      throw new KayaError(
        "KAYA_INVARIANT_VIOLATION",
        `R4: the search stands still at offset ${offset} of ${file.path}`,
      );
    }
    ({ offset, needs: atLeast } = next);
  }
}

/** Counts the records in the window; gives where to go on and how many bytes must be there. */
function searchWindow(
  window: FileWindow,
  maxRecordBytes: number,
  found: Found,
): { offset: number; needs: number } {
  const { bytes, view, start } = window;
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let from = 0;
  for (;;) {
    const at = haystack.indexOf(MAGIC_BYTES, from);
    if (at < 0) {
      const splitMagic = start + bytes.length - (MAGIC_BYTES.length - 1);
      return { offset: Math.max(splitMagic, start + from), needs: WAL_HEADER_LENGTH };
    }
    const offset = start + at;
    const result = decodeAt(
      bytes,
      view,
      at,
      bytes.length,
      offset,
      maxRecordBytes - WAL_HEADER_LENGTH,
      takeView,
    );
    if (result.status === "complete") {
      const { lsn } = result.record;
      if (found.count === 0) Object.assign(found, { firstOffset: offset, firstLsn: lsn });
      found.count++;
      found.lastLsn = lsn;
      from = at + result.bytesRead;
    } else if (result.warning.kind === "PartialHeader" && !window.reachesEnd) {
      return { offset, needs: WAL_HEADER_LENGTH };
    } else if (
      result.warning.kind === "PartialPayload" &&
      offset + result.warning.expected <= window.fileLength
    ) {
      return { offset, needs: result.warning.expected };
    } else {
      // A header that holds counts for its whole record. Searching inside would also be quadratic.
      from = at + (isInsideRecord(result.warning) ? recordLengthAt(view, at) : 1);
    }
  }
}
