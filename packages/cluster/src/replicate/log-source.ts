import type { Lsn } from "@kaya/core";
import type { LsmSnapshot } from "@kaya/lsm";
import type { LogHistory } from "@kaya/wal";
import type { RecordChunk } from "./log-chunk.js";
import type { ShippedPosition } from "./run.js";

/** The source of a replication: the tables of a store, and its growing log. */
export interface LogSource {
  /** The host, process and directory, for messages and for people. */
  readonly place: string;
  /** Reads the newest state of the store. */
  refresh(): Promise<void>;
  /** The identity of the log. @throws KayaError KAYA_INVALID_ARGUMENT if it has none */
  history(): Promise<LogHistory>;
  /** The last record that may be shipped. */
  readonly endLsn: Lsn;
  /** A snapshot of the tables. Release it after use. */
  tables(): LsmSnapshot;
  /** Whether the log has exactly this record now; false also if that cannot be known. */
  has(position: ShippedPosition): Promise<boolean>;
  /**
   * The next records after one that was shipped, about `maxBytes` at most; undefined if there are none yet.
   * @throws KayaError KAYA_LOG_TRUNCATED if the log no longer has them, or has another record at the LSN of the shipped one
   */
  read(after: ShippedPosition, maxBytes: number): Promise<RecordChunk | undefined>;
  /** Keeps the log from about this record on; 0: all of it. Does nothing if this process cannot keep the log. */
  release(lsn: Lsn): Promise<void>;
  /** Flushes the log into tables, if this process may write. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
