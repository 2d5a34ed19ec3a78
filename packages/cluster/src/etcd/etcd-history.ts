import type { CallOptions } from "../shared-log.js";
import type { EtcdClient } from "./etcd-client.js";
import { EtcdError } from "./etcd-errors.js";
import { RPC } from "./protocol.js";

// etcd keeps every head that an append replaced, until its history is compacted.
const HISTORY_BYTES = 8 * 1024 * 1024;
const OVERHEAD_BYTES = 200;

/** Keeps etcd's history of the head and of trimmed entries small. */
export class EtcdHistory {
  readonly #client: EtcdClient;
  readonly #isCompacting: boolean;
  #bytes = 0;
  #compacting: Promise<void> | undefined;

  constructor(client: EtcdClient, isCompacting: boolean) {
    this.#client = client;
    this.#isCompacting = isCompacting;
  }

  /** Counts a replaced head, and compacts in the background after `HISTORY_BYTES` of them. */
  superseded(version: string, bytes: number): void {
    if (!this.#isCompacting || this.#compacting !== undefined) return;
    this.#bytes += bytes + OVERHEAD_BYTES;
    if (this.#bytes < HISTORY_BYTES) return;
    this.#bytes = 0;
    this.#compacting = this.compactTo(version).catch(() => {
      // The next compaction, a few MiB later, covers this part too. If etcd fills meanwhile, appends reject with KAYA_DISK_FULL.
    });
    void this.#compacting.finally(() => {
      this.#compacting = undefined;
    });
  }

  /** Removes the history before a revision. Watches that need it go on by reading pages. */
  async compactTo(revision: string, options?: CallOptions): Promise<void> {
    if (!this.#isCompacting) return;
    try {
      await this.#client.write("compacting history", RPC.compact, { revision }, options);
    } catch (error) {
      // Somebody else compacted further.
      if (!(error instanceof EtcdError && error.outcome === "compacted")) throw error;
    }
  }
}
