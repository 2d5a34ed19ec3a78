import { KayaError, type Lsn } from "@kaya/core";
import type { ChangeOperation } from "@kaya/engine";
import { type Disk, NodeDisk } from "@kaya/io";
import { MANIFEST_DIR } from "@kaya/lsm";
import { inspectRecords, isWarning, listSegments, operationsOf, type SegmentFile } from "@kaya/wal";

/** Receives the records that were appended. */
export interface TailSink {
  /** One record. Its bytes are valid only during the call. */
  changed(lsn: Lsn, operations: Iterable<ChangeOperation>): void;
  /** Records that came and went between two polls, or that another one replaced. */
  missed(records: number): void;
}

/** How far a segment was read. */
interface End {
  /** Behind its last whole record. */
  readonly offset: number;
  /** Of that record; undefined where none was read. */
  readonly lsn: Lsn | undefined;
  /** What stands there is no record, no beginning of one, and no space. */
  readonly isBroken: boolean;
}

/**
 * Reads what another process appends to its log, from the files, without the lock. Nearly each byte is read once. Records are
 * reported whether or not they are durable.
 */
export class LogTail {
  readonly #disk: Disk;
  readonly #limit: { readonly maxRecordBytes?: number };
  /** Undefined before the first poll. */
  #place: { readonly id: number; readonly offset: number } | undefined;
  /** Of the last record that was read; 0 where none was. */
  #lastLsn: Lsn = 0;

  constructor(dataDir: string, maxRecordBytes?: number) {
    this.#disk = new NodeDisk(dataDir);
    this.#limit = maxRecordBytes === undefined ? {} : { maxRecordBytes };
  }

  /**
   * Reads on to the end of the log. The first call begins with the last segment, and tells nothing.
   * @returns names the files and the end: another text where anything was written since
   * @throws KayaError KAYA_IO, KAYA_CORRUPTION
   */
  async poll(sink?: TailSink): Promise<string> {
    // Before the segments: a flush drops them once the manifest covers them.
    const manifests = await this.#disk.list(MANIFEST_DIR);
    const { segments } = await listSegments(this.#disk);
    const place = this.#place;
    const unread = place === undefined ? segments.slice(-1) : segments.filter(({ id }) => id >= place.id);
    for (const segment of unread) await this.#readOn(segment, place && sink);
    this.#place ??= { id: 0, offset: 0 };
    const files = [...manifests, ...segments].map(({ path, length }) => `${path}:${length}`);
    return `${files.join(" ")} ${this.#place.offset}:${this.#lastLsn}`;
  }

  async #readOn(segment: SegmentFile, sink: TailSink | undefined): Promise<void> {
    const { id, length } = segment;
    const known = this.#place?.id === id ? this.#place.offset : 0;
    if (known === length && known > 0) return;
    let from = known > length ? 0 : known;
    let end = await this.#read(segment, from, sink);
    if (end === undefined) return;
    if (from > 0 && end.isBroken && end.offset === from) {
      // A write was taken back, and another one stands across the place where it ended: that has an LSN that was reported before.
      from = 0;
      sink?.missed(1);
      end = (await this.#read(segment, from, sink)) ?? end;
    }
    // The whole segment ends before what was told: a recovery cut the log.
    if (from === 0 && known > 0 && end.lsn !== undefined) this.#lastLsn = end.lsn;
    this.#place = { id, offset: end.offset };
  }

  /** Undefined where the segment is gone. */
  async #read(segment: SegmentFile, from: number, sink: TailSink | undefined): Promise<End | undefined> {
    let end: End = { offset: from, lsn: undefined, isBroken: false };
    try {
      for await (const item of inspectRecords(this.#disk, segment.path, { from, ...this.#limit })) {
        if (isWarning(item)) {
          if (!UNFINISHED.has(item.kind)) end = { ...end, isBroken: true };
          continue;
        }
        const { row, record } = item;
        end = { offset: row.offset + row.encodedLength, lsn: row.lsn, isBroken: false };
        this.#tell(row.lsn, operationsOf(record.payload), sink);
      }
    } catch (error) {
      if (!KayaError.is(error, "KAYA_NOT_FOUND")) throw error;
      return undefined; // dropped since it was listed
    }
    return end;
  }

  #tell(lsn: Lsn, operations: Iterable<ChangeOperation>, sink: TailSink | undefined): void {
    if (lsn <= this.#lastLsn) return;
    const missed = lsn - this.#lastLsn - 1;
    if (missed > 0 && this.#lastLsn > 0) sink?.missed(missed);
    this.#lastLsn = lsn;
    sink?.changed(lsn, operations);
  }
}

/** Warnings about the end of a log that is being written. */
const UNFINISHED: ReadonlySet<string> = new Set(["PartialHeader", "PartialPayload", "ZeroFilledTail"]);
