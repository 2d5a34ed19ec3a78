import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { crc32c, KayaError, type Lsn } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import { type ShippedEngine, shippedEngine, toToken } from "@kaya/engine/shipping";
import type { LsmSnapshot } from "@kaya/lsm";
import { encodeRecord, type LogFollower, type LogHistory, operationCount, type WalRecord } from "@kaya/wal";
import { ChunkBuilder, type ChunkRecord, type RecordChunk } from "./log-chunk.js";
import type { LogSource } from "./log-source.js";
import type { ShippedPosition } from "./run.js";

/**
 * An engine of this process that writes. Only durable records are shipped. A consumer of the change feed keeps the part of the log that was
 * not shipped yet.
 */
export class EngineLogSource implements LogSource {
  readonly place: string;
  /** The name of the consumer. */
  readonly consumer: string;
  readonly #db: Engine;
  readonly #engine: ShippedEngine;
  #follower: { readonly follower: LogFollower; at: Lsn } | undefined;

  constructor(db: Engine, storeName: string) {
    this.#db = db;
    this.#engine = shippedEngine(db);
    this.place = `host ${hostname()}, process ${process.pid}, ${db.dataDir ?? "a disk without a path"}`;
    const hash = createHash("sha256").update(storeName).digest("hex").slice(0, 8);
    this.consumer = `replica ${hash}`;
  }

  async refresh(): Promise<void> {
    // Nothing to do: an engine that writes always shows its newest state.
  }

  async history(): Promise<LogHistory> {
    const history = await this.#engine.identify();
    if (history === undefined)
      throw new KayaError("KAYA_INTERNAL", "an engine that writes has a log without an id");
    return history;
  }

  get endLsn(): Lsn {
    return this.#engine.endLsn;
  }

  tables(): LsmSnapshot {
    return this.#engine.tables();
  }

  async has({ lsn, recordCrc }: ShippedPosition): Promise<boolean> {
    if (recordCrc === undefined || lsn < 1 || lsn > this.endLsn || lsn <= this.#engine.beginsAfter)
      return false;
    const follower = this.#engine.follow(lsn - 1);
    try {
      const { value } = await follower.next();
      return value !== undefined && crc32c(encodeRecord(value)) === recordCrc;
    } catch (error) {
      if (KayaError.is(error, "KAYA_LOG_TRUNCATED")) return false;
      throw error;
    } finally {
      await follower.return();
    }
  }

  async read({ lsn }: ShippedPosition, maxBytes: number): Promise<RecordChunk | undefined> {
    const chunk = new ChunkBuilder();
    let last = lsn;
    while (last < this.endLsn && chunk.byteLength < maxBytes) {
      const { value } = await (await this.#followerAt(last)).next();
      if (value === undefined) throw new KayaError("KAYA_CLOSED", "the replication was closed");
      chunk.add(encoded(value));
      last = value.lsn;
      if (this.#follower !== undefined) this.#follower.at = last;
    }
    return chunk.build();
  }

  async release(lsn: Lsn): Promise<void> {
    const { id } = await this.history();
    for (let isLast = false; ; isLast = true) {
      // The last shipped record stays: the next run checks that the log still has it.
      const since = toToken({ id, lsn: Math.max(this.#engine.beginsAfter, lsn - 1) });
      try {
        await this.#db.addConsumer(this.consumer, { since });
        return;
      } catch (error) {
        // A flush dropped more of the log while the consumer was being registered.
        if (isLast || !KayaError.is(error, "KAYA_LOG_TRUNCATED")) throw error;
      }
    }
  }

  async flush(): Promise<void> {
    await this.#db.flush();
  }

  async close(): Promise<void> {
    await this.#leave();
  }

  async #followerAt(lsn: Lsn): Promise<LogFollower> {
    if (this.#follower?.at !== lsn) {
      await this.#leave();
      this.#follower = { follower: this.#engine.follow(lsn), at: lsn };
    }
    return this.#follower.follower;
  }

  async #leave(): Promise<void> {
    const open = this.#follower;
    this.#follower = undefined;
    await open?.follower.end();
  }
}

/** Encodes a record as it is in a segment: the format has exactly one encoding of each record. */
export function encoded(record: WalRecord): ChunkRecord {
  const { lsn, sequence, payload } = record;
  return { lsn, lastSequence: sequence + operationCount(payload) - 1, bytes: encodeRecord(record) };
}
