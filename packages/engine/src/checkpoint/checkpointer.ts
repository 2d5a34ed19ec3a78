import { asKayaError, invariant, KayaError, type Lsn, type SequenceNumber } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { KeptLog, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import { tellCheckpoint } from "../channels.js";
import { type CheckpointFile, listCheckpoints, removeSuperfluous } from "./checkpoint-files.js";
import type { CoveredLog } from "./load-checkpoint.js";
import type { Pace } from "./pace.js";
import { writeCheckpoint } from "./write-checkpoint.js";

export interface WrittenCheckpoint extends CheckpointFile {
  readonly entries: number;
}

export interface CheckpointResult extends WrittenCheckpoint {
  /** Of the last operation that it covers. */
  readonly sequence: SequenceNumber;
  /** Segments of the log that it made superfluous. */
  readonly segmentsDropped: number;
  readonly durationMs: number;
}

/** How checkpoints are doing. */
export interface CheckpointerStats {
  /** Of the last record that the newest checkpoint covers; absent where there is none. */
  readonly lsn?: Lsn;
  readonly entries?: number;
  readonly bytes?: number;
  /** When it was made, in milliseconds since 1970, and how long that took; absent where that was before the engine was opened. */
  readonly finishedAt?: number;
  readonly durationMs?: number;
  readonly isRunning: boolean;
  /** Attempts since the engine was opened, by how they ended. */
  readonly finished: number;
  readonly failed: number;
  /** Why the last attempt failed; absent after one that did not. */
  readonly error?: KayaError;
}

/** What a checkpoint needs of the log's writer. */
type CheckpointedLog = Pick<
  WalWriter,
  "identify" | "rotate" | "durableLsn" | "dropSegmentsBefore" | "failure" | "noteFailure"
>;

/**
 * Keeps the log short: writes the state into a checkpoint and drops the segments that it covers. One at a time, from a snapshot, while
 * reads and writes go on.
 */
export class Checkpointer {
  readonly #disk: Disk;
  readonly #wal: CheckpointedLog;
  readonly #applied: AppliedLog;
  readonly #kept: () => KeptLog | undefined;
  #last: WrittenCheckpoint | undefined;
  #running: Promise<CheckpointResult> | undefined;
  /** The one that was asked for while another was running: it begins after that, and serves all who ask until then. */
  #next: Promise<CheckpointResult> | undefined;
  #isClosed = false;
  /** How much of a file is written; undefined where none is being written, nor what it covers dropped. */
  #progress: number | undefined;
  #step: { readonly done: Promise<void>; readonly resolve: () => void } | undefined;
  #lastRun: Pick<CheckpointerStats, "finishedAt" | "durationMs"> = {};
  #finished = 0;
  #failed = 0;
  #failure: KayaError | undefined;

  /** @param kept asked for what of the log stays for those who follow it */
  constructor(
    disk: Disk,
    wal: CheckpointedLog,
    applied: AppliedLog,
    kept: () => KeptLog | undefined,
    last: WrittenCheckpoint | undefined,
  ) {
    this.#disk = disk;
    this.#wal = wal;
    this.#applied = applied;
    this.#kept = kept;
    this.#last = last;
  }

  get stats(): CheckpointerStats {
    const last = this.#last;
    return {
      ...(last !== undefined && { lsn: last.lsn, entries: last.entries, bytes: last.bytes }),
      ...this.#lastRun,
      isRunning: this.isRunning,
      finished: this.#finished,
      failed: this.#failed,
      ...(this.#failure !== undefined && { error: this.#failure }),
    };
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** How far the one under way is, from 0 to 1; undefined where the log must go on before it does. */
  get progress(): number | undefined {
    return this.#progress;
  }

  /** Resolves at the next step of the one under way, or when it ends. */
  nextStep(): Promise<void> {
    if (this.#step === undefined) {
      let resolve = () => {};
      const done = new Promise<void>((resolvePromise) => {
        resolve = resolvePromise;
      });
      this.#step = { done, resolve };
    }
    return this.#step.done;
  }

  /** A checkpoint of everything that was written before this call. */
  run(pace: Pace): Promise<CheckpointResult> {
    if (this.#running === undefined) return this.#start(pace);
    this.#next ??= this.#running
      .catch(() => undefined) // whoever asked for that one is told
      .then(() => {
        this.#next = undefined;
        return this.#start(pace);
      });
    return this.#next;
  }

  /** Drops what the last checkpoint covers and nobody needs any more. */
  async dropCovered(): Promise<void> {
    if (this.#last !== undefined) await this.#wal.dropSegmentsBefore(this.#last.lsn + 1, this.#kept());
  }

  /** Ends what is under way, which rejects with KAYA_CLOSED and leaves nothing. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running?.catch(() => undefined); // whoever asked for it is told
  }

  #start(pace: Pace): Promise<CheckpointResult> {
    this.#running = tellCheckpoint(this.#disk.root, () => this.#run(pace)).finally(() => {
      this.#running = undefined;
      this.#setProgress(undefined);
    });
    return this.#running;
  }

  async #run(pace: Pace): Promise<CheckpointResult> {
    try {
      const result = await this.#write(pace);
      this.#failure = undefined;
      this.#remember(result, result.durationMs);
      this.#finished++;
      return result;
    } catch (error) {
      const failure = asKayaError(error, "write a checkpoint");
      this.#wal.noteFailure(failure);
      // Closing is no failure of the checkpoint's.
      if (failure.code !== "KAYA_CLOSED") {
        this.#failure = failure;
        this.#failed++;
      }
      throw failure;
    }
  }

  async #write(pace: Pace): Promise<CheckpointResult> {
    const started = performance.now();
    this.#assertGoesOn();
    const { id: logId } = await this.#wal.identify();
    // So that the segments before are covered as a whole.
    await this.#wal.rotate();
    this.#assertGoesOn();
    const { lsn, sequence } = this.#applied.position;
    // C2: the rotation resolves before anything behind it is applied.
    invariant(
      lsn <= this.#wal.durableLsn,
      "C2",
      `LSN ${lsn} is about to be covered, and not durable in the log yet`,
    );
    const written =
      this.#last?.lsn === lsn ? this.#last : await this.#writeFile({ lsn, sequence, logId }, pace);
    // C11: it counts from here on, also where what follows fails: the next attempt goes on with it.
    this.#remember(written, performance.now() - started);
    const segmentsDropped = await this.#wal.dropSegmentsBefore(lsn + 1, this.#kept());
    this.#setProgress(0); // the log is short again; what it grows by now is for the next one
    await removeSuperfluous(this.#disk, await listCheckpoints(this.#disk));
    return { ...written, sequence, segmentsDropped, durationMs: performance.now() - started };
  }

  #remember({ lsn, path, bytes, entries }: WrittenCheckpoint, durationMs: number): void {
    this.#last = { lsn, path, bytes, entries };
    this.#lastRun = { finishedAt: Date.now(), durationMs };
  }

  async #writeFile(covered: CoveredLog, pace: Pace): Promise<WrittenCheckpoint> {
    const snapshot = this.#applied.snapshot();
    this.#setProgress(0);
    try {
      const file = await writeCheckpoint(this.#disk, covered, snapshot, {
        onStep: async ({ entries, totalEntries }) => {
          this.#setProgress(entries / totalEntries);
          await pace.step();
          this.#assertGoesOn();
        },
      });
      this.#setProgress(1);
      return { ...file, entries: snapshot.size };
    } finally {
      snapshot.release();
    }
  }

  #setProgress(progress: number | undefined): void {
    this.#progress = progress;
    this.#step?.resolve();
    this.#step = undefined;
  }

  #assertGoesOn(): void {
    if (this.#isClosed)
      throw new KayaError("KAYA_CLOSED", "the engine was closed while a checkpoint was written");
    if (this.#wal.failure === undefined) return;
    throw new KayaError(
      "KAYA_WRITER_FAILED",
      `a failed engine makes no checkpoint: open it again. First: ${this.#wal.failure.message}`,
      { cause: this.#wal.failure },
    );
  }
}
