import type { Lsn, SequenceNumber } from "@kaya/core";
import type { WalStats } from "@kaya/wal";
import type { ChangesStats } from "./changes/change-feeds.js";
import type { CheckpointStats } from "./checkpoint/checkpoints.js";

export type EngineState = "open" | "failed" | "closed";

/** Bytes unless the name says otherwise. */
export interface EngineStats {
  readonly state: EngineState;
  /** Keys that have a value. */
  readonly entries: number;
  /** Of the entries. */
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** What the data takes in memory, its indexes and room that is not used yet included. */
  readonly memoryBytes: number;
  /** Of that, what the entries and the indexes over them need. */
  readonly liveBytes: number;
  /** Of that, what was overwritten or deleted, is held by no snapshot, and is not taken back yet. */
  readonly deadBytes: number;
  /** Points in time that snapshots and scans hold open, and what is in memory for them alone. */
  readonly snapshots: { readonly open: number; readonly bytes: number };
  /** Of the last record that was appended, settled or not; 0 for an empty log. */
  readonly lastLsn: Lsn;
  readonly lastSequence: SequenceNumber;
  /** Everything up to here is on stable storage. */
  readonly durableLsn: Lsn;
  /** Bytes appended and not settled yet. */
  readonly pendingBytes: number;
  /** The log behind the newest checkpoint, and what was done with it since the engine was opened. */
  readonly wal: WalStats;
  readonly checkpoint: CheckpointStats;
  readonly changes: ChangesStats;
}
