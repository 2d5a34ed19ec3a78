import { KayaError, type Lsn } from "@kaya/core";
import type { DiskFile } from "@kaya/io";
import { isZero } from "./file-copy.js";
import { FileWindow } from "./file-window.js";
import { MAGIC_BYTES, WAL_HEADER_LENGTH } from "./format.js";
import { takeView } from "./payload-codec.js";
import { decodeAt, recordLengthAt } from "./record-codec.js";
import { isInsideRecord } from "./warnings.js";

/** What stands behind the end of the valid records of a segment. */
export interface DamageSurvey {
  /** Every byte from the damage to the end of the file is zero. */
  readonly onlyZeros: boolean;
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

/**
 * Looks at what follows the damage at `offset`. `resumeAt` is where a record can begin at the earliest: inside the
 * extent of a record whose header holds, a value that is itself a log must not be taken for one.
 */
export async function surveyDamage(
  file: DiskFile,
  fileLength: number,
  offset: number,
  resumeAt: number,
  maxRecordBytes: number,
): Promise<DamageSurvey> {
  if (await hasOnlyZeros(file, fileLength, offset)) return { onlyZeros: true };
  const found: Found = { count: 0, firstOffset: 0, firstLsn: 0, lastLsn: 0 };
  await searchRecords(file, fileLength, resumeAt, maxRecordBytes, found);
  return found.count === 0 ? { onlyZeros: false } : { onlyZeros: false, beyond: found };
}

async function hasOnlyZeros(file: DiskFile, fileLength: number, from: number): Promise<boolean> {
  const window = new FileWindow(file, fileLength);
  for (let offset = from; offset < fileLength; offset = window.end) {
    await window.moveTo(offset, 1);
    if (!isZero(window.bytes)) return false;
  }
  return true;
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
      // A header that holds speaks for its whole extent. Searching inside it would also make the search quadratic.
      from = at + (isInsideRecord(result.warning) ? recordLengthAt(view, at) : 1);
    }
  }
}
