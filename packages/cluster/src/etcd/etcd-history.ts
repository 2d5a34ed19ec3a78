import type { EtcdClient } from "./etcd-client.js";
import { EtcdError } from "./etcd-errors.js";
import { RPC } from "./protocol.js";

// etcd keeps each head that an append replaced until its history is compacted.
const HISTORY_BYTES = 8 * 1024 * 1024;
const OVERHEAD_BYTES = 200;

/**
 * Keeps etcd's history small: replaced heads and trimmed entries.
 *
 * It never compacts the newest revision. Before 3.4.32 and 3.5.14 etcd removes that revision if it is a deletion. If a member crashes in the middle of it, its
 * revisions go back, and they differ from those of other members (etcd-io/etcd#17780): comparisons with revisions prove nothing then. So the history of a trim is
 * compacted after the next append, whose revision stays.
 */
export class EtcdHistory {
  readonly #client: EtcdClient;
  readonly #isCompacting: boolean;
  #bytes = 0;
  /** The revision of the newest trim whose history is not compacted yet. */
  #trimmed: string | undefined;
  #compacting: Promise<void> | undefined;

  constructor(client: EtcdClient, isCompacting: boolean) {
    this.#client = client;
    this.#isCompacting = isCompacting;
  }

  /** Notes a trim. The next append compacts its history in the background. */
  trimmed(revision: string): void {
    if (this.#isCompacting) this.#trimmed = revision;
  }

  /** An append replaced the head of revision `version`. After a trim, or `HISTORY_BYTES` of replaced heads, it compacts in the background. */
  superseded(version: string, bytes: number): void {
    if (!this.#isCompacting || this.#compacting !== undefined) return;
    this.#bytes += bytes + OVERHEAD_BYTES;
    if (this.#trimmed === undefined && this.#bytes < HISTORY_BYTES) return;
    const revision = later(this.#trimmed ?? version, version);
    this.#bytes = 0;
    this.#trimmed = undefined;
    this.#compacting = this.#compactTo(revision).catch(() => {
      // The error is ignored: the next compaction, a few MiB later, covers this part too. If etcd becomes full before that, appends reject
      // with KAYA_DISK_FULL.
    });
    void this.#compacting.finally(() => {
      this.#compacting = undefined;
    });
  }

  /** Removes the history before a revision. A watch that needs this history ends, and its follower reads pages. */
  async #compactTo(revision: string): Promise<void> {
    try {
      await this.#client.write("compacting history", RPC.compact, { revision });
    } catch (error) {
      // Another client has already compacted the history beyond this revision.
      if (!(error instanceof EtcdError && error.outcome === "compacted")) throw error;
    }
  }
}

function later(a: string, b: string): string {
  return BigInt(a) > BigInt(b) ? a : b;
}
