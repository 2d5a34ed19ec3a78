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

export interface WalCommitMessage extends LogMessage {
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly records: number;
  /** Of its records, encoded. */
  readonly bytes: number;
  readonly segmentId: number;
  /** All of it was synced. False for a batch of relaxed records. */
  readonly durable: boolean;
  /** In milliseconds: from when nothing was before it on the way to the disk until the writes in it were told. */
  readonly durationMs: number;
  /** Why records of it were rejected; absent where none were. The batches queued behind it have messages of their own. */
  readonly error?: KayaError;
}

export interface WalFsyncMessage extends LogMessage {
  readonly segmentId: number;
  /** In milliseconds. */
  readonly durationMs: number;
  /** Absent where it succeeded. */
  readonly error?: KayaError;
}

export interface WalRotationMessage extends LogMessage {
  /** Of the segment that is written to now. */
  readonly segmentId: number;
  /** Of the one that was closed; absent for the first segment of a log. */
  readonly closed?: { readonly segmentId: number; readonly bytes: number; readonly lastLsn: Lsn };
  /** In milliseconds: what writes had to wait. */
  readonly durationMs: number;
}

export interface WalPoisonedMessage extends LogMessage {
  readonly error: KayaError;
  /** Everything up to here is on stable storage. */
  readonly durableLsn: Lsn;
}

// Kept here, because Node forgets a channel without references.
export const commitChannel = channel(WAL_CHANNELS.commit);
export const fsyncChannel = channel(WAL_CHANNELS.fsync);
export const rotationChannel = channel(WAL_CHANNELS.rotation);
export const poisonedChannel = channel(WAL_CHANNELS.poisoned);
