import type { KayaError, Lsn } from "@kaya/core";
import type { Batch } from "./batch.js";
import {
  commitChannel,
  fsyncChannel,
  poisonedChannel,
  rotationChannel,
  type WalCommitMessage,
  type WalFsyncMessage,
  type WalPoisonedMessage,
  type WalRotationMessage,
} from "./channels.js";
import { type Distribution, Histogram } from "./histogram.js";

const MICROSECONDS_PER_MS = 1000;

/** What a writer has done since it was opened. */
export interface WalActivity {
  /** When counting began: when the writer was opened, in milliseconds since 1970. */
  readonly since: number;
  /** Records that were appended, by the durability that they asked for. */
  readonly appends: {
    /** Records that asked for stable storage. */
    readonly strict: number;
    /** Records that did not. */
    readonly relaxed: number;
    /** Records of both kinds that were rejected. */
    readonly rejected: number;
  };
  /** Batches that were written, and their sizes. */
  readonly commits: {
    /** How many batches were written. */
    readonly count: number;
    /** Records in a batch. */
    readonly records: Distribution;
    /** Bytes of a batch. */
    readonly bytes: Distribution;
  };
  /** Fsyncs of segments that succeeded, by commits and rotations. */
  readonly fsyncs: {
    /** How many fsyncs succeeded. */
    readonly count: number;
    /** How long they took, in milliseconds. */
    readonly durationMs: Distribution;
  };
  /** Segments that were closed because they were full, or by `rotate`. */
  readonly rotations: number;
}

type Closed = NonNullable<WalRotationMessage["closed"]>;

/**
 * Counts what a writer does, and publishes it on the channels. It allocates nothing for a record or batch, and makes no message without a subscriber.
 */
export class LogWatch {
  readonly #dataDir: string | undefined;
  readonly #since = Date.now();
  readonly #records = new Histogram();
  readonly #bytes = new Histogram();
  readonly #fsyncMicroseconds = new Histogram();
  #strict = 0;
  #relaxed = 0;
  #rejected = 0;
  #rotations = 0;
  /** Start of the batch in flight; NaN if there was no subscriber then. */
  #commitStarted = Number.NaN;

  /** @param dataDir names the log in messages */
  constructor(dataDir: string | undefined) {
    this.#dataDir = dataDir;
  }

  get activity(): WalActivity {
    return {
      since: this.#since,
      appends: { strict: this.#strict, relaxed: this.#relaxed, rejected: this.#rejected },
      commits: {
        count: this.#records.count,
        records: this.#records.distribution(),
        bytes: this.#bytes.distribution(),
      },
      fsyncs: {
        count: this.#fsyncMicroseconds.count,
        durationMs: this.#fsyncMicroseconds.distribution(MICROSECONDS_PER_MS),
      },
      rotations: this.#rotations,
    };
  }

  appended(strict: boolean): void {
    if (strict) this.#strict++;
    else this.#relaxed++;
  }

  commitBegins(): void {
    this.#commitStarted = commitChannel.hasSubscribers ? performance.now() : Number.NaN;
  }

  committed(batch: Batch<unknown>): void {
    if (batch.length === 0) return; // it only makes others durable
    this.#records.record(recordsOf(batch));
    this.#bytes.record(batch.length);
    this.#tellCommit(batch);
  }

  rejected(batch: Batch<unknown>, error: KayaError): void {
    this.#rejected += batch.lastLsn - batch.appliedLsn;
    if (batch.length > 0) this.#tellCommit(batch, error);
  }

  /** @param sync of a segment, which has just begun */
  async fsync(segmentId: number, sync: Promise<void>): Promise<void> {
    const started = performance.now();
    try {
      await sync;
    } catch (error) {
      this.#tellFsync(segmentId, performance.now() - started, error as KayaError);
      throw error;
    }
    this.#synced(segmentId, performance.now() - started);
  }

  /** The same for a synchronous fsync. */
  fsyncNow(segmentId: number, sync: () => void): void {
    const started = performance.now();
    try {
      sync();
    } catch (error) {
      this.#tellFsync(segmentId, performance.now() - started, error as KayaError);
      throw error;
    }
    this.#synced(segmentId, performance.now() - started);
  }

  #synced(segmentId: number, durationMs: number): void {
    this.#fsyncMicroseconds.record(durationMs * MICROSECONDS_PER_MS);
    this.#tellFsync(segmentId, durationMs);
  }

  rotated(segmentId: number, closed: Closed | undefined, durationMs: number): void {
    if (closed !== undefined) this.#rotations++;
    if (!rotationChannel.hasSubscribers) return;
    const message = { dataDir: this.#dataDir, segmentId, ...(closed && { closed }), durationMs };
    rotationChannel.publish(message satisfies WalRotationMessage);
  }

  poisoned(error: KayaError, durableLsn: Lsn): void {
    if (!poisonedChannel.hasSubscribers) return;
    poisonedChannel.publish({ dataDir: this.#dataDir, error, durableLsn } satisfies WalPoisonedMessage);
  }

  #tellCommit(batch: Batch<unknown>, error?: KayaError): void {
    if (!commitChannel.hasSubscribers) return;
    const now = performance.now();
    const message = {
      dataDir: this.#dataDir,
      firstLsn: batch.place.lsn,
      lastLsn: batch.lastLsn,
      records: recordsOf(batch),
      bytes: batch.length,
      segmentId: batch.place.segmentId,
      durable: batch.needsSync && error === undefined,
      durationMs: now - (Number.isNaN(this.#commitStarted) ? now : this.#commitStarted),
      ...(error !== undefined && { error }),
    };
    commitChannel.publish(message satisfies WalCommitMessage);
  }

  #tellFsync(segmentId: number, durationMs: number, error?: KayaError): void {
    if (!fsyncChannel.hasSubscribers) return;
    const message = { dataDir: this.#dataDir, segmentId, durationMs, ...(error !== undefined && { error }) };
    fsyncChannel.publish(message satisfies WalFsyncMessage);
  }
}

function recordsOf(batch: Batch<unknown>): number {
  return batch.lastLsn - batch.place.lsn + 1;
}
