import { asKayaError, KayaError, type Lsn, type SequenceNumber } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { LsmTree } from "@kaya/lsm";
import type { KeptLog, WalWriter } from "@kaya/wal";
import type { AppliedLog, SealedMemtable } from "../apply.js";
import { tellFlush } from "../channels.js";
import { FlushProgress } from "./flush-progress.js";
import { flushSource } from "./flush-source.js";

/** What a flush has written and dropped. */
export interface FlushResult {
  /** Log sequence number of the last record that is in the tables now. */
  readonly lsn: Lsn;
  /** The sequence of the last operation that is in the tables now. */
  readonly sequence: SequenceNumber;
  /** How many entries the table has, tombstones included; 0 if nothing had to be written. */
  readonly entries: number;
  /** Bytes of the table's file; 0 if nothing had to be written. */
  readonly bytes: number;
  /** How many segments of the log were removed, because the tables have their records now. */
  readonly segmentsDropped: number;
  /** How long the flush took, in milliseconds. */
  readonly durationMs: number;
}

const NOTHING = { entries: 0, bytes: 0 };

/** How flushes are doing. */
export interface FlusherStats {
  /** True while a memtable is being written into a table. */
  readonly isRunning: boolean;
  /** How many flushes have ended well since the engine was opened. */
  readonly finished: number;
  /** How many flushes have failed since the engine was opened. */
  readonly failed: number;
  /** The last flush that ended well; absent before the first. */
  readonly last?: FlushResult & {
    /** In milliseconds since 1970. */
    readonly finishedAt: number;
  };
  /** Why the last attempt failed; absent after one that did not fail. */
  readonly error?: KayaError;
}

/** What a flush needs of the log's writer. */
export type FlushedLog = Pick<
  WalWriter<unknown>,
  "identify" | "rotate" | "sync" | "nextLsn" | "durableLsn" | "dropSegmentsBefore" | "failure" | "noteFailure"
>;

/**
 * Brings memtables into tables, and keeps the log short. One at a time, in this order: rotate the log, seal the memtable, write its
 * table durably, name it in the manifest durably together with the LSN that the tables cover, drop the log up to there, forget the
 * memtable (rules L1 to L6 in FLUSH.md).
 */
export class Flusher {
  readonly #disk: Disk;
  readonly #wal: FlushedLog;
  readonly #applied: AppliedLog;
  readonly #tree: LsmTree;
  readonly #kept: () => KeptLog | undefined;
  /** Sealed by an attempt that failed: the next one goes on with it. */
  #sealed: SealedMemtable | undefined;
  #running: Promise<FlushResult> | undefined;
  /** The one that was asked for while another was running: it begins after that, and serves all who ask until then. */
  #next: Promise<FlushResult> | undefined;
  #writing: Promise<void> | undefined;
  #progress: FlushProgress | undefined;
  #isClosed = false;
  #last: FlusherStats["last"];
  #finished = 0;
  #failed = 0;
  #failure: KayaError | undefined;

  /** @param kept asked for what of the log stays for those who follow it */
  constructor(
    disk: Disk,
    wal: FlushedLog,
    applied: AppliedLog,
    tree: LsmTree,
    kept: () => KeptLog | undefined,
  ) {
    this.#disk = disk;
    this.#wal = wal;
    this.#applied = applied;
    this.#tree = tree;
    this.#kept = kept;
  }

  get stats(): FlusherStats {
    return {
      isRunning: this.isRunning,
      finished: this.#finished,
      failed: this.#failed,
      ...(this.#last !== undefined && { last: this.#last }),
      ...(this.#failure !== undefined && { error: this.#failure }),
    };
  }

  /** Resolves when the table that is being written is named, or that has failed; undefined where none is: then the log must go on. */
  get writing(): Promise<void> | undefined {
    return this.#writing;
  }

  /** Of the table that is being written; undefined where none is, or where it is not known. */
  get progress(): FlushProgress | undefined {
    return this.#progress;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Why the last attempt failed. */
  get failure(): KayaError | undefined {
    return this.#failure;
  }

  /** Flushes everything that was written before this call. A call while one is under way waits for the next one. */
  run(): Promise<FlushResult> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running
      .catch(() => undefined) // the caller of that one is told
      .then(() => {
        this.#next = undefined;
        // One that began meanwhile, in the turn in which the other ended, began after all who wait for this one had asked.
        return this.#running ?? this.#start();
      });
    return this.#next;
  }

  /** Drops what the tables cover and no consumer needs any more. */
  async dropCovered(): Promise<number> {
    return this.#wal.dropSegmentsBefore(this.#tree.covered.lsn + 1, this.#kept());
  }

  /** Ends what is under way: no step begins any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#running !== undefined) await this.#running.catch(() => undefined); // its caller is told
  }

  #start(): Promise<FlushResult> {
    this.#running = tellFlush(this.#disk.root, () => this.#run()).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<FlushResult> {
    try {
      const result = await this.#flush();
      this.#failure = undefined;
      this.#last = { ...result, finishedAt: Date.now() };
      this.#finished++;
      return result;
    } catch (error) {
      const failure = asKayaError(error, "flush a memtable");
      this.#wal.noteFailure(failure);
      // Closing is no failure of the flush's.
      if (failure.code !== "KAYA_CLOSED") {
        this.#failure = failure;
        this.#failed++;
      }
      throw failure;
    }
  }

  async #flush(): Promise<FlushResult> {
    const started = performance.now();
    this.#assertGoesOn();
    await this.#recordLog();
    // What an earlier attempt left, first: tables are written in the order of the log.
    const first = this.#sealed === undefined ? undefined : await this.#write(this.#sealed);
    const written = this.isUpToDate ? NOTHING : await this.#write(await this.#seal());
    // L3: only behind what a durable edit covers.
    const segmentsDropped = await this.dropCovered();
    const { lsn, sequence } = this.#tree.covered;
    return {
      lsn,
      sequence,
      entries: written.entries + (first?.entries ?? 0),
      bytes: written.bytes + (first?.bytes ?? 0),
      segmentsDropped,
      durationMs: performance.now() - started,
    };
  }

  /** The tables have all that was written, what is on its way to the log included. */
  get isUpToDate(): boolean {
    return this.#wal.nextLsn - 1 === this.#tree.covered.lsn;
  }

  /** L5: the tables say which log they cover before they cover any of it. */
  async #recordLog(): Promise<void> {
    const { id } = await this.#wal.identify();
    if (this.#tree.logIdentity !== id) await this.#tree.setLogIdentity(id);
  }

  async #seal(): Promise<SealedMemtable> {
    this.#assertGoesOn();
    // So that the segments before are covered as a whole.
    await this.#wal.rotate();
    this.#assertGoesOn();
    this.#sealed = await this.#applied.seal();
    return this.#sealed;
  }

  async #write(sealed: SealedMemtable): Promise<{ readonly entries: number; readonly bytes: number }> {
    // L2: the tables never cover what the log may still lose.
    if (sealed.position.lsn > this.#wal.durableLsn) await this.#wal.sync();
    this.#assertGoesOn();
    const snapshot = sealed.memtable.snapshot();
    const progress = new FlushProgress(snapshot.size);
    try {
      const written = this.#tree.flush(flushSource(snapshot, progress), sealed.position);
      if (snapshot.rangeTombstones.length === 0) this.#progress = progress;
      this.#writing = written.then(
        () => undefined,
        () => undefined, // awaited below
      );
      const { entries, bytes } = await written;
      this.#applied.store.forgetSealed();
      this.#sealed = undefined;
      return { entries, bytes };
    } finally {
      this.#writing = undefined;
      this.#progress = undefined;
      progress.end();
      snapshot.release();
    }
  }

  #assertGoesOn(): void {
    if (this.#isClosed)
      throw new KayaError("KAYA_CLOSED", "the engine was closed while a memtable was flushed");
    if (this.#wal.failure === undefined) return;
    throw new KayaError(
      "KAYA_WRITER_FAILED",
      `a failed engine flushes nothing: open it again. First: ${this.#wal.failure.message}`,
      { cause: this.#wal.failure },
    );
  }
}
