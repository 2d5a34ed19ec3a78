import type { EngineConfig } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { type KeptLog, WAL_HEADER_LENGTH, type WalWriter } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import {
  Checkpointer,
  type CheckpointerStats,
  type CheckpointResult,
  type WrittenCheckpoint,
} from "./checkpointer.js";
import { type Clock, Pace } from "./pace.js";

/** What a PUT has beside its key and value in the log: header and two lengths. */
const RECORD_OVERHEAD = WAL_HEADER_LENGTH + 8;

/**
 * A checkpoint begins at the log's bound, and the log is not to be twice as long before it ends: it may grow as the checkpoint does. Where it is
 * ahead of that the checkpoint takes no more rests; so much further ahead, writes wait for it.
 */
const HEAD_START = 0.25;

export interface CheckpointStats extends CheckpointerStats {
  /** How often writes waited for a checkpoint, because the log was about to outgrow its bound twice. */
  readonly heldUp: number;
}

interface CheckpointedEngine {
  readonly consumers: { readonly kept: KeptLog | undefined };
  readonly config: EngineConfig;
  readonly disk: Disk;
  readonly wal: WalWriter<unknown>;
  readonly applied: AppliedLog;
  readonly checkpoint: WrittenCheckpoint | undefined;
  readonly clock: Clock;
}

/** When checkpoints are made: when asked for, and by themselves once the log has outgrown the data. */
export class Checkpoints {
  readonly #config: EngineConfig["checkpoint"];
  readonly #wal: WalWriter<unknown>;
  readonly #applied: AppliedLog;
  readonly #checkpointer: Checkpointer;
  readonly #clock: Clock;
  /** After a failure: not before the log has grown to here. */
  #notBefore = 0;
  #heldUp = 0;

  constructor({ config, disk, wal, applied, consumers, checkpoint, clock }: CheckpointedEngine) {
    this.#config = config.checkpoint;
    this.#wal = wal;
    this.#applied = applied;
    this.#clock = clock;
    this.#checkpointer = new Checkpointer(disk, wal, applied, () => consumers.kept, checkpoint);
  }

  /** Begins one in the background if it is time. Cheap: it is called at every write. */
  consider(): void {
    const log = this.#logBytes;
    if (log < this.#config.minLogBytes || !this.#config.auto || log < this.#notBefore) return;
    if (this.#checkpointer.isRunning || log <= this.#bound()) return;
    this.run().then(
      () => {
        this.#notBefore = 0;
      },
      () => {
        // `stats()` has the error. A disk that is full now is not tried again at the next write.
        this.#notBefore = this.#logBytes + Math.max(this.#bound() / 4, 1);
      },
    );
  }

  /** Before a batch is written: what it has to wait for, where the log grows faster than it can be shrunk. */
  throttle(): Promise<void> | undefined {
    const { progress } = this.#checkpointer;
    if (progress === undefined || !this.#config.auto) return undefined;
    const most = 1 + HEAD_START + (1 - HEAD_START) * progress;
    if (this.#logBytes <= most * this.#bound()) return undefined;
    this.#heldUp++;
    return this.#checkpointer.nextStep();
  }

  run(): Promise<CheckpointResult> {
    return this.#checkpointer.run(this.#pace());
  }

  /**
   * Drops what the last checkpoint covers and no consumer needs any more. Never rejects: what cannot be removed now is removed with the next
   * checkpoint, and a failure that is final is the log's to tell.
   */
  async dropCovered(): Promise<void> {
    if (this.#wal.keptBytes > 0) await this.#checkpointer.dropCovered().catch(() => undefined);
  }

  /** Ends what is under way. */
  close(): Promise<void> {
    return this.#checkpointer.close();
  }

  get stats(): CheckpointStats {
    return { ...this.#checkpointer.stats, heldUp: this.#heldUp };
  }

  #pace(): Pace {
    let seen = this.#wal.nextLsn;
    const load = {
      isBusy: () => {
        const before = seen;
        seen = this.#wal.nextLsn;
        return seen !== before;
      },
      isUrgent: () => this.#logBytes > (1 + (this.#checkpointer.progress ?? 0)) * this.#bound(),
    };
    return new Pace(load, this.#clock);
  }

  /** What a checkpoint would make superfluous: not what is kept for consumers although one covers it. */
  get #logBytes(): number {
    return this.#wal.byteLength - this.#wal.keptBytes;
  }

  /** How large the log becomes before it is shrunk. */
  #bound(): number {
    const { size, keyBytes, valueBytes } = this.#applied.memtable;
    const live = keyBytes + valueBytes + size * RECORD_OVERHEAD;
    return Math.max(this.#config.minLogBytes, this.#config.logRatio * live);
  }
}
