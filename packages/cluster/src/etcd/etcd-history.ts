import type { CallOptions } from "../shared-log.js";
import type { EtcdClient } from "./etcd-client.js";
import { EtcdError } from "./etcd-errors.js";
import { RPC } from "./protocol.js";

// etcd keeps each head that an append replaced until its history is compacted.
const HISTORY_BYTES = 8 * 1024 * 1024;
const OVERHEAD_BYTES = 200;

/** Keeps etcd's history small: replaced heads and trimmed entries. */
export class EtcdHistory {
  readonly #client: EtcdClient;
  readonly #isCompacting: boolean;
  #bytes = 0;
  #compacting: Promise<void> | undefined;

  constructor(client: EtcdClient, isCompacting: boolean) {
    this.#client = client;
    this.#isCompacting = isCompacting;
  }

  /** Counts a replaced head. After `HISTORY_BYTES` of replaced heads it compacts in the background. */
  superseded(version: string, bytes: number): void {
    if (!this.#isCompacting || this.#compacting !== undefined) return;
    this.#bytes += bytes + OVERHEAD_BYTES;
    if (this.#bytes < HISTORY_BYTES) return;
    this.#bytes = 0;
    this.#compacting = this.compactTo(version).catch(() => {
      // The error is ignored: the next compaction, a few MiB later, covers this part too. If etcd becomes full before that, appends reject
      // with KAYA_DISK_FULL.
    });
    void this.#compacting.finally(() => {
      this.#compacting = undefined;
    });
  }

  /** Removes the history before a revision. A watch that needs this history ends, and its follower reads pages. */
  async compactTo(revision: string, options?: CallOptions): Promise<void> {
    if (!this.#isCompacting) return;
    try {
      await this.#client.write("compacting history", RPC.compact, { revision }, options);
    } catch (error) {
      // Another client has already compacted the history beyond this revision.
      if (!(error instanceof EtcdError && error.outcome === "compacted")) throw error;
    }
  }
}
