import type { Engine, Entry, RangeOptions, Rows, Scan, Snapshot } from "@kaya/engine";
import type { Latencies } from "./latencies.js";

/** The data at one moment, for one request. It measures its lookups. */
export class Reading {
  readonly #snapshot: Snapshot;
  readonly #latencies: Latencies;

  constructor(snapshot: Snapshot, latencies: Latencies) {
    this.#snapshot = snapshot;
    this.#latencies = latencies;
  }

  /** As `Engine.keys`. */
  keys(range: RangeOptions): Rows<Uint8Array> {
    return this.#snapshot.keys(range);
  }

  /** As `Engine.scan`. */
  scan(range: RangeOptions): Scan {
    return this.#snapshot.scan(range);
  }

  /** As `Engine.getEntry`. */
  getEntry(key: Uint8Array): Promise<Entry> {
    return this.#latencies.measure(() => this.#snapshot.getEntry(key));
  }
}

/** Calls `work` with a snapshot of the engine, and closes the snapshot afterwards. */
export async function readFrom<T>(
  engine: Engine,
  latencies: Latencies,
  work: (reading: Reading) => Promise<T>,
): Promise<T> {
  const snapshot = engine.snapshot();
  try {
    return await work(new Reading(snapshot, latencies));
  } finally {
    snapshot.close();
  }
}
