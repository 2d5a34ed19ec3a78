import type { DiskFile } from "@kaya/io";
import { FileWindow } from "./file-window.js";
import { MAGIC_BYTES, WAL_HEADER_LENGTH, type WalRecord } from "./format.js";
import { takeView } from "./payload-codec.js";
import { decodeAt, headerChecksumHolds, recordLengthAt } from "./record-codec.js";
import { isInsideRecord, type RecordWarning } from "./warnings.js";

export interface ScanOptions {
  /** Bounds what is allocated for one record. */
  readonly maxRecordBytes: number;
  /** Offset of the first record to read. Default 0. */
  readonly from?: number | undefined;
  /**
   * Called for each record in order; its bytes are views of a buffer that is never written again. `false` stops the
   * scan before this record. If it gives a promise, the next record follows once that resolves.
   */
  readonly onRecord: (record: WalRecord, offset: number, length: number) => boolean | Promise<void>;
  /** Called after each large read, with the offset up to which all records were given. */
  readonly onProgress?: ((offset: number) => void) | undefined;
}

/** `onRecord` gave a promise: the next record is at `offset`, in the same window. */
export interface Pause {
  readonly kind: "paused";
  readonly offset: number;
  readonly over: Promise<void>;
}

/** How a scan of a segment ended. `offset` is where the valid records end. */
export type ScanEnd =
  | { readonly kind: "end"; readonly offset: number }
  | { readonly kind: "stopped"; readonly offset: number }
  | TornEnd
  | DamagedEnd;

/** Too few bytes for the header or the payload of the last record: the file ends, or nothing but zeros follows. */
export interface TornEnd {
  readonly kind: "torn";
  readonly offset: number;
  readonly warning: RecordWarning;
  /** The bytes begin like a record. */
  readonly plain: boolean;
  /** Zeros follow (W8). They may also be the end of a damaged value, so this is less certain than the end of the file. */
  readonly inSpace: boolean;
}

export interface DamagedEnd {
  readonly kind: "damaged";
  readonly offset: number;
  readonly warning: RecordWarning;
  /** The header's checksum holds, so its fields count. */
  readonly headerHolds: boolean;
  /** The earliest offset of a later record. */
  readonly resumeAt: number;
}

/**
 * Reads a segment and never changes anything. Memory stays flat: two windows of a mebibyte, or one
 * record, whichever is larger.
 * @throws KayaError only for a failed read.
 */
export async function scanSegment(
  file: DiskFile,
  fileLength: number,
  options: ScanOptions,
): Promise<ScanEnd> {
  const windows = scanWindows(file, fileLength, options);
  for (;;) {
    const step = await windows.next();
    if (step.done === true) return step.value;
    options.onProgress?.(step.value);
  }
}

/** `scanSegment`, pausing after each large read with the offset up to which all records were given. */
export async function* scanWindows(
  file: DiskFile,
  fileLength: number,
  options: Pick<ScanOptions, "maxRecordBytes" | "onRecord" | "from">,
): AsyncGenerator<number, ScanEnd> {
  const window = new FileWindow(file, fileLength, { readsAhead: true });
  try {
    return yield* scanFrom(window, options);
  } finally {
    await window.finish();
  }
}

async function* scanFrom(
  window: FileWindow,
  options: Pick<ScanOptions, "maxRecordBytes" | "onRecord" | "from">,
): AsyncGenerator<number, ScanEnd> {
  let offset = options.from ?? 0;
  let atLeast = WAL_HEADER_LENGTH;
  while (offset < window.fileLength) {
    await window.moveTo(offset, atLeast);
    const step = await takeWindow(window, offset, options);
    if (typeof step !== "number") return step;
    // No progress: the window ends inside a record. Its checked length says how much to read.
    atLeast = step === offset ? neededBytes(window, offset) : WAL_HEADER_LENGTH;
    offset = step;
    yield offset;
  }
  return { kind: "end", offset };
}

/** `decodeWindow`, waiting for the promises of `onRecord`. */
async function takeWindow(
  window: FileWindow,
  from: number,
  options: Pick<ScanOptions, "maxRecordBytes" | "onRecord">,
): Promise<number | ScanEnd> {
  let step = decodeWindow(window, from, options);
  while (typeof step !== "number" && step.kind === "paused") {
    await step.over;
    step = decodeWindow(window, step.offset, options);
  }
  return step;
}

/**
 * Gives all whole records of the window from `from` on, up to a promise; returns the offset behind them, or how the scan ended.
 */
export function decodeWindow(
  window: FileWindow,
  from: number,
  { maxRecordBytes, onRecord }: Pick<ScanOptions, "maxRecordBytes" | "onRecord">,
): number | ScanEnd | Pause {
  const { bytes, view, start } = window;
  const maxPayloadBytes = maxRecordBytes - WAL_HEADER_LENGTH;
  let at = from - start;
  while (at < bytes.length) {
    const offset = start + at;
    const result = decodeAt(bytes, view, at, bytes.length, offset, maxPayloadBytes, takeView);
    if (result.status === "complete") {
      const taken = onRecord(result.record, offset, result.bytesRead);
      if (taken === false) return { kind: "stopped", offset };
      at += result.bytesRead;
      if (taken !== true) return { kind: "paused", offset: start + at, over: taken };
    } else if (result.status === "incomplete") {
      if (isTorn(window, result.warning, offset)) return torn(window, result.warning, offset);
      return offset;
    } else {
      return damaged(window, at, result.warning);
    }
  }
  return start + at;
}

function isTorn(window: FileWindow, warning: RecordWarning, offset: number): boolean {
  if (window.reachesEnd) return true;
  return warning.kind === "PartialPayload" && offset + warning.expected > window.fileLength;
}

// The window may end before the file: `actual` counts the file's bytes.
function torn(window: FileWindow, warning: RecordWarning, offset: number): ScanEnd {
  if (warning.kind === "PartialHeader") {
    const at = offset - window.start;
    const plain = window.bytes
      .subarray(at, at + MAGIC_BYTES.length)
      .every((byte, i) => byte === MAGIC_BYTES[i]);
    return { kind: "torn", offset, warning, plain, inSpace: false };
  }
  const actual = window.fileLength - offset;
  const told = { ...warning, actual } as RecordWarning;
  return { kind: "torn", offset, warning: told, plain: true, inSpace: false };
}

function damaged(window: FileWindow, at: number, warning: RecordWarning): ScanEnd {
  const { bytes, view } = window;
  const offset = window.start + at;
  const headerHolds = headerChecksumHolds(bytes, view, at);
  const resumeAt = isInsideRecord(warning) ? offset + neededBytes(window, offset) : offset + 1;
  return { kind: "damaged", offset, warning, headerHolds, resumeAt };
}

/** Bytes of the record at `offset` by its header; of a header if that is not in the window. */
export function neededBytes(window: FileWindow, offset: number): number {
  const at = offset - window.start;
  if (window.bytes.length - at < WAL_HEADER_LENGTH) return WAL_HEADER_LENGTH;
  return recordLengthAt(window.view, at);
}
