/**
 * Parts of the engine that `@kaya/cluster` needs to copy a store elsewhere. Not for programs: any version may change them.
 */
import type { EngineConfig, Lsn } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { LsmSnapshot } from "@kaya/lsm";
import type { LogFollower, LogHistory } from "@kaya/wal";
import { type Engine, SHIPPED } from "./engine.js";

export { TargetDirectory, type TargetOptions } from "./backup/target-directory.js";
export { toToken } from "./changes/change-token.js";
export { markFinished, markUnfinished, UNFINISHED_PATH } from "./unfinished.js";

/** An engine as the source of a copy elsewhere. */
export interface ShippedEngine {
  /** Where the data is. */
  readonly disk: Disk;
  /** The resolved configuration. */
  readonly config: EngineConfig;
  /** True if the engine only looks, beside another process that may write. */
  readonly isReadOnly: boolean;
  /** The tables as they are, and the last record that they cover. Release the snapshot after use. @throws KayaError KAYA_CLOSED */
  tables(): LsmSnapshot;
  /**
   * Makes the identity of the log durable; undefined if a read-only engine finds none.
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  identify(): Promise<LogHistory | undefined>;
  /** Log sequence number of the last durable record. */
  readonly endLsn: Lsn;
  /** The records behind this one are in the log; those up to it may be gone. */
  readonly beginsAfter: Lsn;
  /**
   * The durable records behind an LSN, in order.
   * @throws KayaError KAYA_LOG_TRUNCATED if the log does not reach back to that LSN, or ends before it; KAYA_INVALID_ARGUMENT, KAYA_CLOSED
   */
  follow(after: Lsn): LogFollower;
}

/** The engine's tables and log, for a copy elsewhere. */
export function shippedEngine(engine: Engine): ShippedEngine {
  return engine[SHIPPED]();
}
