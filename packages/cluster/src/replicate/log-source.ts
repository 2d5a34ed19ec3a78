import type { Lsn } from "@kaya/core";
import type { LsmSnapshot } from "@kaya/lsm";
import type { LogHistory } from "@kaya/wal";
import type { RecordChunk } from "./log-chunk.js";
import type { ShippedPosition } from "./run.js";

/** The source of a replication: the tables of a store, and its growing log. */
export interface LogSource {
  /** For messages and for people: host, process and directory. */
  readonly place: string;
  /** Looks at what is there now. */
  refresh(): Promise<void>;
  /** The identity of the log. @throws KayaError KAYA_INVALID_ARGUMENT if it has none */
  history(): Promise<LogHistory>;
  /** The last record that may be shipped. */
  readonly endLsn: Lsn;
  /** The tables; release them. */
  tables(): LsmSnapshot;
  /** Whether the log has this very record now: false also if it cannot say. */
  has(position: ShippedPosition): Promise<boolean>;
  /**
   * The next records behind one that was shipped, about `maxBytes` at most; undefined if there are none yet.
   * @throws KayaError KAYA_LOG_TRUNCATED if the log does not have them any more, or has another record in the place of the shipped one
   */
  read(after: ShippedPosition, maxBytes: number): Promise<RecordChunk | undefined>;
  /** Keeps the log from about this record on; 0: all of it. Does nothing if this process cannot keep the log. */
  release(lsn: Lsn): Promise<void>;
  /** Writes the log into tables, if this process may. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
