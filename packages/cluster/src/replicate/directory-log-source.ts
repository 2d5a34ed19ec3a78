import { hostname } from "node:os";
import { crc32c, KayaError, type Lsn } from "@kaya/core";
import { type Engine, lookSteadily } from "@kaya/engine";
import { type ShippedEngine, shippedEngine } from "@kaya/engine/shipping";
import type { LsmSnapshot } from "@kaya/lsm";
import { type LogHistory, readLog, type WalRecord } from "@kaya/wal";
import { encoded } from "./engine-log-source.js";
import { ChunkBuilder, type RecordChunk } from "./log-chunk.js";
import type { LogSource } from "./log-source.js";
import type { ShippedPosition } from "./run.js";

/** Thrown to end the reading of the log when a chunk is full. */
const FULL = Symbol("full");

/** Thrown if the log has another record at the LSN of the shipped one. */
const OTHER = Symbol("other");

/**
 * The log of a directory to which another process may write. A read-only engine reads it. It also ships records that are not durable yet. A
 * flush of the writer may drop records before this process has read them.
 */
export class DirectoryLogSource implements LogSource {
  readonly place: string;
  readonly #db: Engine;
  readonly #engine: ShippedEngine;

  /** @param db an engine that was opened with `readOnly` */
  constructor(db: Engine) {
    this.#db = db;
    this.#engine = shippedEngine(db);
    this.place = `host ${hostname()}, process ${process.pid}, ${db.dataDir ?? "a disk without a path"}, read-only`;
  }

  async refresh(): Promise<void> {
    await this.#db.refresh();
  }

  async history(): Promise<LogHistory> {
    const history = await this.#engine.identify();
    if (history !== undefined) return history;
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `${this.#db.dataDir ?? "the disk"} has a log without an id: nothing was written there yet, or its file wal/log-id is lost. Open it for writing, and write something.`,
    );
  }

  get endLsn(): Lsn {
    return this.#db.stats().lastLsn;
  }

  tables(): LsmSnapshot {
    return this.#engine.tables();
  }

  async has(position: ShippedPosition): Promise<boolean> {
    const { lsn, recordCrc } = position;
    if (recordCrc === undefined || lsn < 1 || lsn > this.endLsn) return false;
    const found = await this.#gather({ lsn: lsn - 1, through: lsn, maxBytes: 0 });
    return found?.lastLsn === lsn && found.lastCrc === recordCrc;
  }

  async read(after: ShippedPosition, maxBytes: number): Promise<RecordChunk | undefined> {
    const through = this.endLsn;
    if (through <= after.lsn) return undefined;
    const found = await this.#gather({ lsn: after.lsn, through, maxBytes, expected: after });
    if (found !== undefined) return found;
    throw new KayaError(
      "KAYA_LOG_TRUNCATED",
      `the record after LSN ${after.lsn} is no longer in the log, or another record now has LSN ${after.lsn}`,
    );
  }

  async release(): Promise<void> {
    // Nothing to do: a reader cannot keep the log of another process.
  }

  async flush(): Promise<void> {
    // Nothing to do: a reader writes no tables.
  }

  async close(): Promise<void> {
    // Nothing to do: the engine belongs to the caller.
  }

  /** Reads records of the log; undefined if the log does not have them. */
  async #gather(what: {
    readonly lsn: Lsn;
    readonly through: Lsn;
    readonly maxBytes: number;
    /** The record before them. It is compared if the log still has it. */
    readonly expected?: ShippedPosition;
  }): Promise<RecordChunk | undefined> {
    try {
      return await lookSteadily(this.#engine.disk, () => this.#read(what, what.expected));
    } catch (error) {
      if (error === OTHER) return undefined;
      throw error;
    }
  }

  async #read(
    { lsn, through, maxBytes }: { readonly lsn: Lsn; readonly through: Lsn; readonly maxBytes: number },
    expected: ShippedPosition | undefined,
  ): Promise<RecordChunk | undefined> {
    const chunk = new ChunkBuilder();
    const hasBefore = expected?.recordCrc !== undefined && lsn > 0;
    const onRecord = ({ record }: { readonly record: WalRecord }) => {
      if (record.lsn <= lsn) {
        if (crc32c(encoded(record).bytes) !== expected?.recordCrc) throw OTHER;
        return;
      }
      chunk.add(encoded(record));
      if (chunk.byteLength >= maxBytes) throw FULL;
    };
    try {
      const { maxRecordBytes } = this.#engine.config.wal;
      // The sequence of the previous record is not known. The reader accepts any higher one.
      const after = { lsn: hasBefore ? lsn - 1 : lsn, sequence: 0 };
      const { gap } = await readLog(this.#engine.disk, { maxRecordBytes, after, through, onRecord });
      if (gap !== undefined && chunk.byteLength === 0)
        return hasBefore ? await this.#read({ lsn, through, maxBytes }, undefined) : undefined;
    } catch (error) {
      if (error !== FULL) throw error;
    }
    return chunk.build();
  }
}
