import type { Lsn } from "@kaya/core";
import type { LogSegment } from "./recovery.js";

/**
 * Which segments stay although tables have their records: a reader of the change feed has not read them yet.
 */
export interface KeptLog {
  /** Segments that end before this log sequence number may go. */
  readonly from: Lsn;
  /** Most bytes that are kept. If there are more, the oldest segments go first. */
  readonly maxBytes: number;
}

/** The segments behind the open one, lowest first: durable whole (W1), and never written again. */
export class ClosedSegments {
  readonly #segments: LogSegment[];
  #bytes: number;
  #keptBytes = 0;
  #beginsAfter: Lsn;

  constructor(segments: readonly LogSegment[], beginsAfter: Lsn) {
    this.#segments = [...segments];
    this.#bytes = bytesOf(segments);
    this.#beginsAfter = beginsAfter;
  }

  get count(): number {
    return this.#segments.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of the segments that ended before the last drop's LSN and are still there. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Of the last record; 0 where there is none. */
  get lastLsn(): Lsn {
    return this.#segments.at(-1)?.lastLsn ?? 0;
  }

  /** The records behind this LSN are in the log, without a gap; those up to it may be gone. */
  get beginsAfter(): Lsn {
    return this.#beginsAfter;
  }

  add(segment: LogSegment): void {
    this.#segments.push(segment);
    this.#bytes += segment.length;
  }

  /** The segment that holds `lsn`, which is behind `beginsAfter`; undefined where the open one does. */
  holding(lsn: Lsn): LogSegment | undefined {
    return this.#segments.find((segment) => segment.lastLsn >= lsn);
  }

  find(id: number): LogSegment | undefined {
    return this.#segments.find((segment) => segment.id === id);
  }

  /** The segments that end before `lsn` and need not be kept, lowest first. */
  droppable(lsn: Lsn, kept: KeptLog | undefined): readonly LogSegment[] {
    const ended = this.#segments.filter((segment) => segment.lastLsn < lsn);
    this.#keptBytes = bytesOf(ended);
    if (kept === undefined) return ended;
    let bytes = this.#keptBytes;
    const first = ended.findIndex((segment) => {
      const isKept = segment.lastLsn >= kept.from && bytes <= kept.maxBytes;
      bytes -= segment.length;
      return isKept;
    });
    return first === -1 ? ended : ended.slice(0, first);
  }

  /** Counts the segments before `lsn` that must stay as kept, as if the others had been removed. */
  countKept(lsn: Lsn, kept: KeptLog | undefined): void {
    const dropped = this.droppable(lsn, kept);
    this.#keptBytes -= bytesOf(dropped);
  }

  /** Forgets the lowest segment: it was droppable and its file is removed. */
  removeOldest(): void {
    const oldest = this.#segments.shift();
    if (oldest === undefined) return;
    this.#bytes -= oldest.length;
    this.#keptBytes -= oldest.length;
    this.#beginsAfter = Math.max(this.#beginsAfter, oldest.lastLsn);
  }
}

function bytesOf(segments: readonly LogSegment[]): number {
  return segments.reduce((sum, { length }) => sum + length, 0);
}
