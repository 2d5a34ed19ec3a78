import type { LogPosition, Lsn, SequenceNumber } from "@kaya/core";
import type { Disk, DiskFile } from "@kaya/io";
import { findCovered } from "./covered-segments.js";
import { operationCount, type WalRecord } from "./format.js";
import { refusesInEveryMode } from "./recovery-decision.js";
import { type ScanEnd, scanSegment } from "./scanner.js";
import type { SegmentFile } from "./segments.js";
import type { WalWarning } from "./warnings.js";

/** A record that recovery read, and where it stands. */
export interface RecoveredRecord {
  /** Id of the segment that has the record. */
  readonly segmentId: number;
  /** Offset of the record's first byte in its segment. */
  readonly offset: number;
  /** The record, decoded. Its bytes never change. */
  readonly record: WalRecord;
}

/** Called for each record in order. Its bytes never change. */
export type OnRecovered = ((record: RecoveredRecord) => void) | ((record: RecoveredRecord) => Promise<void>);

/** How much of the log was read. */
export interface ScanProgress {
  /** Bytes of the log that were read and verified so far. */
  readonly bytes: number;
  /** Bytes of the log in all. */
  readonly totalBytes: number;
  /** Records that were read so far. */
  readonly records: number;
}

export interface LogScanOptions {
  readonly maxRecordBytes: number;
  readonly after: LogPosition;
  /** The last record to read; later bytes are not read. Default: the log's last. */
  readonly through?: Lsn | undefined;
  /** Segments of which all records are covered by `after` are not read. Default false. */
  readonly skipsCovered?: boolean;
  /** If it gives a promise, the next record follows once that resolves. */
  readonly onRecord: OnRecovered;
  readonly onProgress?: ((progress: ScanProgress) => void) | undefined;
}

export interface ScannedSegment extends SegmentFile {
  /** Bytes from its beginning that are whole records of the log. */
  validLength: number;
  /** Of the last record in it or before it; 0 where there is none. */
  lastLsn: Lsn;
}

/** The first thing in the log that is wrong. */
export type LogStop =
  | {
      readonly kind: "bad-record";
      readonly index: number;
      readonly end: Extract<ScanEnd, { kind: "torn" | "damaged" }>;
    }
  /** A whole record, but not the next one of the log. */
  | {
      readonly kind: "discontinuity";
      readonly index: number;
      readonly offset: number;
      readonly warning: WalWarning;
    }
  | { readonly kind: "missing-segment"; readonly index: number; readonly expectedId: number };

export interface LogScan {
  /** Up to the stop, its segment included. */
  readonly segments: readonly ScannedSegment[];
  readonly stop?: LogStop | undefined;
  /** How many of them, the first ones, were not read: all their records are covered by `after`. */
  readonly covered: number;
  /** Records behind `after`, and where the log ends. */
  readonly recordCount: number;
  readonly firstLsn?: Lsn | undefined;
  readonly last: LogPosition;
  /** The records behind this LSN follow one another without a gap; those up to it may be missing (R6). */
  readonly beginsAfter: Lsn;
}

/** Reads a whole log in order, up to the first thing that is wrong with it. Changes nothing. */
export async function scanLog(
  disk: Disk,
  segments: readonly SegmentFile[],
  options: LogScanOptions,
): Promise<LogScan> {
  return new LogScanner(segments, options).run(disk);
}

/** Checks LSNs and sequences over the segments: the expected next ones against those found. */
class LogScanner {
  readonly #files: readonly SegmentFile[];
  readonly #options: LogScanOptions;
  readonly #scanned: ScannedSegment[] = [];
  readonly #through: Lsn;
  readonly #totalBytes: number;
  #bytesBefore = 0;
  #lastLsn: Lsn = 0;
  #nextSequence: SequenceNumber = 1;
  #recordCount = 0;
  #firstLsn: Lsn | undefined;
  #beginsAfter: Lsn = 0;
  #stop: LogStop | undefined;
  // Missing segments; no record read since tells which LSNs they held.
  #hole: { index: number; expectedId: number } | undefined;

  constructor(files: readonly SegmentFile[], options: LogScanOptions) {
    this.#files = files;
    this.#options = options;
    this.#through = options.through ?? Number.POSITIVE_INFINITY;
    this.#totalBytes = files.reduce((sum, file) => sum + file.length, 0);
  }

  async run(disk: Disk): Promise<LogScan> {
    const covered = this.#options.skipsCovered === true ? await this.#skipCovered(disk) : 0;
    let expectedId = (this.#scanned.at(-1)?.id ?? 0) + 1;
    for (const [index, file] of this.#files.entries()) {
      if (index < covered) continue;
      if (covered > 0 && index === covered) expectedId = file.id;
      if (file.id !== expectedId) this.#hole ??= { index, expectedId };
      await this.#scanFile(disk, file, index);
      if (this.#stop !== undefined || this.#isThrough) break;
      expectedId = file.id + 1;
    }
    this.#closeHole();
    return {
      segments: this.#scanned,
      stop: this.#stop,
      covered,
      recordCount: this.#recordCount,
      firstLsn: this.#firstLsn,
      last: { lsn: this.#lastLsn, sequence: this.#nextSequence - 1 },
      // A log that ends below what the tables cover goes on behind that.
      beginsAfter: this.#lastLsn < this.#options.after.lsn ? this.#options.after.lsn : this.#beginsAfter,
    };
  }

  /** Goes on behind the segments that need not be read. */
  async #skipCovered(disk: Disk): Promise<number> {
    const { segments, beginsAfter } = await findCovered(disk, this.#files, this.#options.after.lsn);
    for (const segment of segments) {
      this.#scanned.push({ ...segment, validLength: segment.length });
      this.#bytesBefore += segment.length;
      this.#lastLsn = segment.lastLsn;
    }
    this.#beginsAfter = beginsAfter;
    return segments.length;
  }

  async #scanFile(disk: Disk, file: SegmentFile, index: number): Promise<void> {
    const handle = await disk.open(file.path, { readOnly: true });
    try {
      await this.#scanHandle(handle, file, index);
    } finally {
      await handle.close();
    }
  }

  async #scanHandle(handle: DiskFile, file: SegmentFile, index: number): Promise<void> {
    const length = await handle.length();
    const scanned: ScannedSegment = { ...file, length, validLength: 0, lastLsn: this.#lastLsn };
    this.#scanned.push(scanned);
    const end = await scanSegment(handle, length, {
      maxRecordBytes: this.#options.maxRecordBytes,
      onRecord: (record, offset) => this.#accept(record, offset, index, file.id),
      onProgress: (offset) => this.#progress(offset),
    });
    scanned.validLength = end.offset;
    scanned.lastLsn = this.#lastLsn;
    this.#bytesBefore += length;
    if (this.#isThrough) return;
    if (end.kind === "torn" || end.kind === "damaged") this.#stop = { kind: "bad-record", index, end };
  }

  get #isThrough(): boolean {
    return this.#lastLsn >= this.#through;
  }

  /** Whether this is the next record; if so, passes it on. */
  #accept(record: WalRecord, offset: number, index: number, segmentId: number): boolean | Promise<void> {
    if (this.#isThrough) return false;
    const { after } = this.#options;
    const expected = this.#lastLsn + 1;
    // R6: a gap wholly below what the tables cover is no damage.
    const coveredGap = record.lsn > expected && record.lsn <= after.lsn + 1;
    if (record.lsn !== expected && !coveredGap) {
      const warning = { kind: "NonMonotonicLsn", offset, expected, found: record.lsn } as const;
      return this.#stopAt({ kind: "discontinuity", index, offset, warning });
    }
    if (this.#hole !== undefined) {
      if (!coveredGap && this.#lastLsn > 0) return this.#stopAt({ kind: "missing-segment", ...this.#hole });
      this.#hole = undefined;
    }
    if (record.lsn === after.lsn + 1) this.#nextSequence = Math.max(this.#nextSequence, after.sequence + 1);
    if (record.sequence < this.#nextSequence) {
      const message = `sequence ${record.sequence} stands where ${this.#nextSequence} is the least that can follow`;
      return this.#stopAt({
        kind: "discontinuity",
        index,
        offset,
        warning: { kind: "MalformedPayload", offset, message },
      });
    }
    if (coveredGap) this.#beginsAfter = record.lsn - 1;
    this.#lastLsn = record.lsn;
    this.#nextSequence = record.sequence + operationCount(record.payload);
    if (record.lsn <= after.lsn) return true;
    this.#recordCount++;
    this.#firstLsn ??= record.lsn;
    const taken = this.#options.onRecord({ segmentId, offset, record });
    return taken instanceof Promise ? taken : true;
  }

  #stopAt(stop: LogStop): false {
    this.#stop = stop;
    return false;
  }

  // No record behind the hole tells which LSNs it held. If the log ends below what the tables cover, the hole counts as covered segments;
  // else it is the first wrong thing.
  #closeHole(): void {
    if (this.#hole === undefined || this.#isThrough || this.#lastLsn < this.#options.after.lsn) return;
    if (this.#stop !== undefined && (this.#stop.kind !== "bad-record" || refusesInEveryMode(this.#stop)))
      return;
    this.#stop = { kind: "missing-segment", ...this.#hole };
  }

  #progress(offset: number): void {
    this.#options.onProgress?.({
      bytes: this.#bytesBefore + offset,
      totalBytes: this.#totalBytes,
      records: this.#recordCount,
    });
  }
}
