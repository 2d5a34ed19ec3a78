import { channel } from "node:diagnostics_channel";
import type { KayaError, Lsn } from "@kaya/core";

/** Names of the `node:diagnostics_channel`s on which a writer tells what it does. */
export const WAL_CHANNELS = {
  /** A batch was written, and synced if anything in it was strict; or it was rejected. */
  commit: "kaya:wal:commit",
  /** An fsync of a segment ended. */
  fsync: "kaya:wal:fsync",
  /** A segment was closed and the next one created. */
  rotation: "kaya:wal:rotation",
  /** The writer failed for good: nothing can be written until the log is opened again. */
  poisoned: "kaya:wal:poisoned",
} as const;

/** Fields of every message of a log. */
interface LogMessage {
  /** The disk's `root`: which log this is of. Undefined for a disk that has none. */
  readonly dataDir: string | undefined;
}

/** A message of the channel `kaya:wal:commit`: a batch was written or rejected. */
export interface WalCommitMessage extends LogMessage {
  /** Log sequence number of the first record of the batch. */
  readonly firstLsn: Lsn;
  /** Log sequence number of the last record of the batch. */
  readonly lastLsn: Lsn;
  /** How many records the batch has. */
  readonly records: number;
  /** Bytes of its records, encoded. */
  readonly bytes: number;
  /** Id of the segment that it was written to. */
  readonly segmentId: number;
  /** True if all of it was synced. False for a batch of relaxed records. */
  readonly durable: boolean;
  /** Milliseconds from when the batch was first in the queue until its writes were acknowledged. */
  readonly durationMs: number;
  /**
   * Why records of it were rejected; absent if none were. The batches queued behind it have messages of their
   * own.
   */
  readonly error?: KayaError;
}

/** A message of the channel `kaya:wal:fsync`: an fsync of a segment ended. */
export interface WalFsyncMessage extends LogMessage {
  /** Id of the segment that was synced. */
  readonly segmentId: number;
  /** How long the fsync took, in milliseconds. */
  readonly durationMs: number;
  /** Why the fsync failed; absent if it succeeded. */
  readonly error?: KayaError;
}

/** A message of the channel `kaya:wal:rotation`: a segment was closed and the next one created. */
export interface WalRotationMessage extends LogMessage {
  /** Id of the segment that is written to now. */
  readonly segmentId: number;
  /** The segment that was closed; absent for the first segment of a log. */
  readonly closed?: {
    /** Id of the closed segment. */
    readonly segmentId: number;
    /** Bytes of the closed segment. */
    readonly bytes: number;
    /** Log sequence number of its last record. */
    readonly lastLsn: Lsn;
  };
  /** How long writes waited for the rotation, in milliseconds. */
  readonly durationMs: number;
}

/** A message of the channel `kaya:wal:poisoned`: the writer failed, and takes no more writes. */
export interface WalPoisonedMessage extends LogMessage {
  /** The failure that cannot be undone. */
  readonly error: KayaError;
  /** All records up to this log sequence number are on stable storage. */
  readonly durableLsn: Lsn;
}

// Kept here, because Node forgets a channel without references.
export const commitChannel = channel(WAL_CHANNELS.commit);
export const fsyncChannel = channel(WAL_CHANNELS.fsync);
export const rotationChannel = channel(WAL_CHANNELS.rotation);
export const poisonedChannel = channel(WAL_CHANNELS.poisoned);
