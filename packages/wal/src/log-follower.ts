import { invariant, KayaError, type Lsn } from "@kaya/core";
import type { Disk, DiskFile } from "@kaya/io";
import { FileWindow } from "./file-window.js";
import { WAL_HEADER_LENGTH, type WalRecord } from "./format.js";
import { notWhole } from "./record-file.js";
import type { LogSegment } from "./recovery.js";
import { decodeWindow, neededBytes } from "./scanner.js";
import type { SegmentStore } from "./segment-store.js";
import type { Watchers } from "./watchers.js";

/** Bytes of one read: a follower holds no more, unless a record is larger. */
const READ_BYTES = 256 * 1024;

/** Records decoded ahead; their bytes stay in the read buffer. */
const DECODED_AHEAD = 64;

const DONE = { done: true, value: undefined } as const;

/** What a follower needs of a log that is written to. */
export interface FollowedLog {
  readonly disk: Disk;
  readonly segments: Pick<SegmentStore, "after" | "beginsAfter" | "durableTail" | "find" | "holding">;
  readonly maxRecordBytes: number;
  /** Called before the first read. @throws KayaError KAYA_CLOSED */
  begin(follower: LogFollower): void;
  /** Called when it is over. */
  end(follower: LogFollower): void;
  readonly progress: {
    readonly durableLsn: Lsn;
    readonly watchers: Watchers;
    /** @throws KayaError once nothing more will be written */
    assertWorking(): void;
  };
}

/**
 * The records of a log in order, from behind an LSN on: first those that are there, then each once it is durable. It reads the
 * segments and nothing else, and never past their durable end: so what is in flight or taken back (W3) is never seen, one
 * that is slow holds up nobody, and it costs one buffer.
 *
 * A record's bytes are views of what was read, which is never written again: copy what you keep for long.
 */
export class LogFollower implements AsyncIterableIterator<WalRecord, undefined> {
  readonly #log: FollowedLog;
  /** Of the last record that was decoded; the next one is behind it. */
  #lastLsn: Lsn;
  /** Where the last record ended when this began, if that was the log's durable end: earlier bytes need not be read. */
  #start: LogSegment | undefined;
  #segment: { readonly id: number; readonly file: DiskFile; readonly path: string } | undefined;
  #window: FileWindow | undefined;
  /** Of the next record, in the segment. */
  #offset = 0;
  #decoded: readonly WalRecord[] = [];
  #taken = 0;
  /** Calls of `next` that wait, and what the last of them waits for. */
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();
  #hasBegun = false;
  #resume: (() => void) | undefined;
  #ended: { reason: unknown } | undefined;
  #closing: Promise<void> | undefined;

  /** @internal Made by `WalWriter.follow`. */
  constructor(log: FollowedLog, after: Lsn) {
    this.#log = log;
    this.#lastLsn = after;
    if (after === log.progress.durableLsn) this.#start = log.segments.durableTail;
  }

  /**
   * The next record, as soon as it is durable. After a rejection the follower is over.
   *
   * @throws KayaError KAYA_LOG_TRUNCATED if the next segment was dropped; KAYA_CORRUPTION with file and offset;
   *   KAYA_WRITER_FAILED after the last durable record if the writer has failed; KAYA_IO, KAYA_CLOSED
   */
  next(): Promise<IteratorResult<WalRecord, undefined>> {
    if (this.#waiting === 0 && this.#ended === undefined && this.#taken < this.#decoded.length)
      return Promise.resolve(this.#take());
    this.#waiting++;
    const result = this.#last.then(() => this.#nextInTurn()).finally(() => this.#waiting--);
    this.#last = result.catch(() => undefined); // its caller has the rejection
    return result;
  }

  /** Ends the follower: calls of `next` that wait resolve as done. */
  async return(): Promise<IteratorResult<WalRecord, undefined>> {
    await this.end();
    return DONE;
  }

  /** The follower itself, for `for await`. Leaving the loop ends it. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * Ends the follower, and resolves when its file is closed. A call that waits for a record rejects with
   * `reason`, or is done if there is none. If no call waits, the next call gets the reason. A second call does
   * nothing.
   */
  end(reason?: unknown): Promise<void> {
    this.#ended ??= { reason };
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#wake();
    this.#log.end(this);
    await this.#last;
    await this.#leaveSegment();
    this.#decoded = [];
  }

  async #nextInTurn(): Promise<IteratorResult<WalRecord, undefined>> {
    try {
      if (!this.#hasBegun) this.#log.begin(this);
      this.#hasBegun = true;
      while (this.#ended === undefined && this.#taken === this.#decoded.length) await this.#advance();
    } catch (error) {
      this.#ended ??= { reason: error };
      // Not awaited: it waits for this call to settle. The first failure is the one to report.
      this.end().catch(() => undefined);
    }
    if (this.#ended === undefined) return this.#take();
    const { reason } = this.#ended;
    this.#ended = { reason: undefined };
    if (reason !== undefined) throw reason;
    return DONE;
  }

  #take(): IteratorResult<WalRecord, undefined> {
    return { done: false, value: this.#decoded[this.#taken++] as WalRecord };
  }

  /** Decodes more, or waits until there may be more. */
  async #advance(): Promise<void> {
    const { progress } = this.#log;
    if (this.#lastLsn < progress.durableLsn) return this.#read();
    progress.assertWorking();
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      progress.watchers.add(resolve);
    });
  }

  #wake(): void {
    if (this.#resume === undefined) return;
    this.#log.progress.watchers.delete(this.#resume);
    this.#resume();
  }

  /** Decodes what is behind the last record. Only called where something durable is. */
  async #read(): Promise<void> {
    const segment = this.#segment ?? (await this.#enterSegment());
    const window = this.#windowAt(this.#offset) ?? (await this.#openWindow(segment.file));
    if (window === undefined) return this.#leaveSegment();
    const records: WalRecord[] = [];
    const end = decodeWindow(window, this.#offset, {
      maxRecordBytes: this.#log.maxRecordBytes,
      onRecord: (record) => this.#accept(record, records),
    });
    this.#decoded = records;
    this.#taken = 0;
    if (typeof end !== "number") {
      this.#offset = end.offset;
      // Records before the damage are given first.
      if ((end.kind === "torn" || end.kind === "damaged") && records.length === 0)
        throw notWhole(segment.path, end);
      return;
    }
    // No progress: the window ends inside a record. Its checked length says how much to read.
    if (end === this.#offset) await window.moveTo(end, neededBytes(window, end));
    this.#offset = end;
  }

  #accept(record: WalRecord, into: WalRecord[]): boolean {
    if (into.length === DECODED_AHEAD) return false;
    if (record.lsn <= this.#lastLsn) return true; // before the first wanted record
    if (record.lsn !== this.#lastLsn + 1) throw this.#gap(`LSN ${record.lsn}`, record.lsn - 1);
    this.#lastLsn = record.lsn;
    into.push(record);
    return true;
  }

  #windowAt(offset: number): FileWindow | undefined {
    return this.#window !== undefined && offset < this.#window.end ? this.#window : undefined;
  }

  /** Undefined where nothing more stands in the segment. */
  async #openWindow(file: DiskFile): Promise<FileWindow | undefined> {
    const length = await this.#readableLength();
    if (this.#offset === length) return undefined;
    const window = new FileWindow(file, length, { windowBytes: READ_BYTES });
    await window.moveTo(this.#offset, WAL_HEADER_LENGTH);
    this.#window = window;
    return window;
  }

  async #readableLength(): Promise<number> {
    const { id, file } = this.#segment as { id: number; file: DiskFile };
    const segment = this.#log.segments.find(id);
    // A segment that is dropped while it is read stays readable to its end, and that is durable (W1).
    if (segment === undefined) return file.length();
    if (this.#offset >= segment.length && this.#lastLsn < segment.lastLsn)
      throw this.#gap("the segment's end", segment.lastLsn);
    return segment.length;
  }

  async #enterSegment(): Promise<{ id: number; file: DiskFile; path: string }> {
    const { disk, segments } = this.#log;
    if (this.#lastLsn < segments.beginsAfter) throw truncated(this.#lastLsn, segments.beginsAfter);
    const segment = segments.holding(this.#lastLsn + 1);
    invariant(segment !== undefined, "F1", `no segment holds LSN ${this.#lastLsn + 1}, which is durable`);
    const { id, path } = segment;
    const file = await this.#open(disk, segment);
    this.#offset = this.#start?.id === id ? this.#start.length : 0;
    this.#start = undefined;
    this.#segment = { id, file, path };
    return this.#segment;
  }

  async #open(disk: Disk, { path, lastLsn }: LogSegment): Promise<DiskFile> {
    try {
      return await disk.open(path, { readOnly: true });
    } catch (error) {
      if (!KayaError.is(error, "KAYA_NOT_FOUND")) throw error;
      throw truncated(this.#lastLsn, lastLsn);
    }
  }

  async #leaveSegment(): Promise<void> {
    const segment = this.#segment;
    this.#segment = undefined;
    this.#window = undefined;
    await segment?.file.close();
  }

  /** @param missing the last missing record */
  #gap(found: string, missing: Lsn): KayaError {
    // R6: what the tables cover may be missing, also in segments that no opening has read.
    if (missing <= this.#log.segments.after) return truncated(this.#lastLsn, missing);
    return new KayaError(
      "KAYA_CORRUPTION",
      `${this.#segment?.path}: found ${found} where LSN ${this.#lastLsn + 1} must follow. A crash cannot have done this: restore the file from a backup.`,
    );
  }
}

/** The records behind an LSN are not in the log any more. */
export function truncated(after: Lsn, beginsAfter: Lsn): KayaError {
  return new KayaError(
    "KAYA_LOG_TRUNCATED",
    `the records behind LSN ${after} were asked for, and those up to LSN ${beginsAfter} are not in the log any more: ` +
      "tables took their place. Read the data as it is now, and follow the log from there.",
  );
}
