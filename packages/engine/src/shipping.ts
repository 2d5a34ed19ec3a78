/** Parts of the engine with which `@kaya/cluster` copies a store elsewhere. They are not for programs: any version may change them. */
import type { EngineConfig, Lsn } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { LsmSnapshot } from "@kaya/lsm";
import type { LogFollower, LogHistory } from "@kaya/wal";
import { type Engine, SHIPPED } from "./engine.js";

export { TargetDirectory, type TargetOptions } from "./backup/target-directory.js";
export { toToken } from "./changes/change-token.js";
export { markFinished, markUnfinished, UNFINISHED_PATH } from "./unfinished.js";

/** An engine as the source of a copy. */
export interface ShippedEngine {
  /** The disk with the data. */
  readonly disk: Disk;
  /** The resolved configuration. */
  readonly config: EngineConfig;
  /** True if the engine is read-only, beside another process that may write. */
  readonly isReadOnly: boolean;
  /** The current tables, and the last record that they cover. Release the snapshot after use. @throws KayaError KAYA_CLOSED */
  tables(): LsmSnapshot;
  /**
   * Makes the identity of the log durable, and returns it; undefined if the engine is read-only and the log has none.
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  identify(): Promise<LogHistory | undefined>;
  /** Log sequence number of the last durable record. */
  readonly endLsn: Lsn;
  /** The records after this LSN are in the log. Earlier records may have been dropped. */
  readonly beginsAfter: Lsn;
  /**
   * The durable records after an LSN, in order.
   * @throws KayaError KAYA_LOG_TRUNCATED if the log does not reach back to that LSN, or ends before it; KAYA_INVALID_ARGUMENT, KAYA_CLOSED
   */
  follow(after: Lsn): LogFollower;
}

/** Gives access to the engine's tables and log, for a copy. */
export function shippedEngine(engine: Engine): ShippedEngine {
  return engine[SHIPPED]();
}
