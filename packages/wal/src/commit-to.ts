import { asKayaError, describe, KayaError, type Lsn, type SequenceNumber } from "@kaya/core";
import type { Batch } from "./batch.js";
import { operationCount, WAL_HEADER_LENGTH } from "./format.js";

/** A batch on its way to the log in front of this one. */
export interface CommittedBatch {
  /** The first of its records. */
  readonly firstLsn: Lsn;
  /** The last of its records. */
  readonly lastLsn: Lsn;
  /** The last operation of its last record. */
  readonly lastSequence: SequenceNumber;
  /** The records as they will stand in the segment, one behind the other. They stay as they are until `commit` settles. */
  readonly bytes: Uint8Array;
}

/** A log in front of this one. A record is written here only if it is there, so this log is always a prefix of that one. */
export interface CommitTo {
  /** Most bytes of one batch, and so of one record; at least 40. */
  readonly maxBatchBytes: number;
  /** The error with which appends reject now; undefined while they are accepted. */
  readonly refusal: () => KayaError | undefined;
  /**
   * Called with each batch before it is written here, one at a time and in order. Once it has resolved, the records are durable, even if the local write
   * fails. If it rejects, the batch and all behind it are taken back: nothing was written here, and their LSNs are free.
   */
  readonly commit: (batch: CommittedBatch) => Promise<void>;
  /**
   * Called with the error before writes reject because this log cannot take them: `commit` was not called for them. This log goes on, and takes writes again
   * when its disk does. It must not throw.
   */
  readonly refusedHere?: (error: KayaError) => void;
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function checkCommitTo(commitTo: CommitTo | undefined): void {
  if (commitTo === undefined) return;
  const { maxBatchBytes, refusal, commit, refusedHere = () => undefined } = commitTo;
  for (const [name, call] of Object.entries({ refusal, commit, refusedHere })) {
    if (typeof call === "function") continue;
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `commitTo.${name} must be a function, not ${describe(call)}`,
    );
  }
  if (Number.isSafeInteger(maxBatchBytes) && maxBatchBytes >= WAL_HEADER_LENGTH) return;
  const least = `a whole number >= ${WAL_HEADER_LENGTH}`;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `commitTo.maxBatchBytes must be ${least}, not ${describe(maxBatchBytes)}`,
  );
}

/**
 * Hands each batch to the log in front of this one. A failure before that log has the batch is taken back (W3). A failure afterwards is final (W4).
 */
export class HandOver {
  readonly #commitTo: CommitTo;
  #state: "none" | "begun" | "done" = "none";

  constructor(commitTo: CommitTo) {
    this.#commitTo = commitTo;
  }

  /** Begins the next batch, of which nothing was handed over yet. */
  begin(): void {
    this.#state = "none";
  }

  /** Hands a batch over, unless it came from that log. Rejects as `commitTo.commit`. */
  async commit(batch: Batch<unknown>): Promise<void> {
    if (batch.isReplicated) return;
    this.#state = "begun";
    await this.#commitTo.commit(toCommit(batch));
    this.#state = "done";
  }

  /** Tells that batches are taken back, none of which was handed over. Those that came from that log do not count, and those without records. */
  refusedHere(batches: readonly Batch<unknown>[], error: KayaError): void {
    if (batches.some(({ length, isReplicated }) => length > 0 && !isReplicated))
      this.#commitTo.refusedHere?.(error);
  }

  /** `commit` was called for the batch, and has not resolved. */
  get isRejected(): boolean {
    return this.#state === "begun";
  }

  /** `commit` has resolved: the batch is in that log. */
  get isDone(): boolean {
    return this.#state === "done";
  }
}

function toCommit(batch: Batch<unknown>): CommittedBatch {
  const { bytes, lastRecord } = batch;
  return {
    firstLsn: batch.place.lsn,
    lastLsn: batch.lastLsn,
    lastSequence: lastRecord.sequence + operationCount(lastRecord.payload) - 1,
    bytes: bytes instanceof Uint8Array ? bytes : Buffer.concat(bytes),
  };
}

/** After these codes a write is certainly not there. */
const DEFINITE = [
  "KAYA_FENCED",
  "KAYA_NOT_LEADER",
  "KAYA_NO_MAJORITY",
  "KAYA_DISK_FULL",
  "KAYA_INVALID_ARGUMENT",
  "KAYA_IO",
  "KAYA_CLOSED",
] as const;

const NEVER_HANDED_OVER = new WeakSet<KayaError>();

/** The error of batches behind a rejected one: they were never handed over. */
export function neverHandedOver(first: KayaError): KayaError {
  const code = DEFINITE.find((each) => each === first.code) ?? "KAYA_FENCED";
  const error = new KayaError(
    code,
    `nothing of it was written: it was never handed to the shared log, because a write before it was rejected. First: ${first.message}`,
    { cause: first, leader: first.leader },
  );
  NEVER_HANDED_OVER.add(error);
  return error;
}

/** Whether `neverHandedOver` made that error. */
export function isNeverHandedOver(error: unknown): boolean {
  return NEVER_HANDED_OVER.has(error as KayaError);
}

/** W4: the records are in the log in front, and not here. The code of the local write would mean that they were taken back, so it is not used. */
export function behindTheCommit(error: unknown): KayaError {
  const cause = asKayaError(error, "write what was committed");
  return new KayaError(
    "KAYA_FSYNC_FAILED",
    `the write is in the shared log, and could not be written to the local one: it is there once this node is opened again and has caught up. First: ${cause.message}`,
    { cause: error },
  );
}
