import {
  asKayaError,
  invariant,
  KayaError,
  type LogPosition,
  type Lsn,
  type SequenceNumber,
} from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { KeptLog, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import { tellCheckpoint } from "../channels.js";
import { type CheckpointFile, listCheckpoints, removeSuperfluous } from "./checkpoint-files.js";
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
export interface CheckpointStats {
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
type CheckpointedLog = Pick<WalWriter, "rotate" | "durableLsn" | "dropSegmentsBefore" | "failure">;

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
  #lastRun: Pick<CheckpointStats, "finishedAt" | "durationMs"> = {};
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

  get stats(): CheckpointStats {
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
    });
    return this.#running;
  }

  async #run(pace: Pace): Promise<CheckpointResult> {
    try {
      const result = await this.#write(pace);
      this.#failure = undefined;
      this.#last = result;
      this.#lastRun = { finishedAt: Date.now(), durationMs: result.durationMs };
      this.#finished++;
      return result;
    } catch (error) {
      const failure = asKayaError(error, "write a checkpoint");
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
    const written = this.#last?.lsn === lsn ? this.#last : await this.#writeFile({ lsn, sequence }, pace);
    const segmentsDropped = await this.#wal.dropSegmentsBefore(lsn + 1, this.#kept());
    await removeSuperfluous(this.#disk, await listCheckpoints(this.#disk));
    return { ...written, sequence, segmentsDropped, durationMs: performance.now() - started };
  }

  async #writeFile(covered: LogPosition, pace: Pace): Promise<WrittenCheckpoint> {
    const snapshot = this.#applied.memtable.snapshot();
    try {
      const file = await writeCheckpoint(this.#disk, covered, snapshot, {
        onStep: async () => {
          await pace.step();
          this.#assertGoesOn();
        },
      });
      return { ...file, entries: snapshot.size };
    } finally {
      snapshot.release();
    }
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
