import { KayaError, type Lsn } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { PartialEngineConfig } from "../../src/index.js";
import {
  openReplica,
  type Replica,
  type ReplicaBatch,
  type ReplicaEntry,
  type ReplicaOptions,
} from "../../src/replica/index.js";

export const LOG_ID = "00000000000c0ffe";

export function notLeader(): KayaError {
  return new KayaError("KAYA_NOT_LEADER", "another node is the writer. Nothing was written.");
}

/** A shared log in memory, which one writer at a time appends to. */
export class MemoryLog {
  readonly entries: ReplicaBatch[] = [];
  /** Called before an entry is appended: whatever it throws is what the writer is told, and nothing is there. */
  before: (batch: ReplicaBatch) => void | Promise<void> = () => undefined;
  /** Called once an entry is there: whatever it throws is what the writer is told. */
  after: (batch: ReplicaBatch) => void | Promise<void> = () => undefined;
  /** The most bytes that an entry had. */
  mostBytes = 0;
  #underWay = 0;

  get lsn(): Lsn {
    return this.entries.at(-1)?.lastLsn ?? 0;
  }

  /** For `Replica.lead`. */
  readonly commit = async (batch: ReplicaBatch): Promise<void> => {
    if (this.#underWay > 0) throw new Error("two batches are under way at once");
    this.#underWay++;
    try {
      await this.before(batch);
      if (batch.firstLsn !== this.lsn + 1) throw new Error(`LSN ${batch.firstLsn} comes behind ${this.lsn}`);
      this.entries.push({ ...batch, bytes: new Uint8Array(batch.bytes) });
      this.mostBytes = Math.max(this.mostBytes, batch.bytes.length);
      await this.after(batch);
    } finally {
      this.#underWay--;
    }
  };

  /** Entries with records behind an LSN. */
  behind(lsn: Lsn): readonly ReplicaEntry[] {
    return this.entries.filter(({ lastLsn }) => lastLsn > lsn);
  }

  /** Appends all that a replica does not have. */
  async bring(replica: Replica): Promise<void> {
    for (const entry of this.behind(replica.position.lsn)) await replica.append(entry);
  }
}

export function replicaOn(
  disk: Disk,
  config: PartialEngineConfig = {},
  options: Partial<ReplicaOptions> = {},
): Promise<Replica> {
  return openReplica(config, disk, {
    logId: LOG_ID,
    logName: "the log of a test",
    maxBatchBytes: 1024 * 1024,
    refusal: notLeader,
    ...options,
  });
}
