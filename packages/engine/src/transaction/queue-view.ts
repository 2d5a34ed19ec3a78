import type { SequenceNumber } from "@kaya/core";
import { operationsOf, type WalRecord, type WalWriter } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import { newHashSecret } from "../memtable/hash.js";
import { Memtable, type MemtableOptions } from "../memtable/memtable.js";
import type { MemtableSnapshot } from "../memtable/memtable-snapshot.js";
import type { WriteResult } from "../write.js";

/** From so many bytes on it is made anew, without what is applied by then. */
const WORTH_REMAKING_BYTES = 1024 * 1024;

/** What the writes under way do, and the data that they are above, at one moment. */
export interface QueueMoment {
  readonly ahead: MemtableSnapshot;
  /** Of the last write in the queue. */
  readonly sequence: SequenceNumber;
  /** See `WalWriter.takeBacks`: what is ahead counts only while this stays the same. */
  readonly takeBacks: number;
}

/** What is queued in the log and not applied, as a memtable. Each record is added once, when somebody asks first. */
export class QueueView {
  readonly #applied: AppliedLog;
  readonly #wal: WalWriter<WriteResult>;
  readonly #options: MemtableOptions = { hashSecret: newHashSecret() };
  #memtable = new Memtable(this.#options);
  /** The last record that was added. */
  #lsn = 0;
  #takeBacks = 0;

  constructor(applied: AppliedLog, wal: WalWriter<WriteResult>) {
    this.#applied = applied;
    this.#wal = wal;
  }

  /** Everything that was appended is applied. */
  get isEmpty(): boolean {
    return this.#wal.nextLsn - 1 === this.#applied.position.lsn;
  }

  /**
   * What is queued now. Some of it may be applied too, and nothing that is not in it was applied later.
   * @returns valid in this turn: take a snapshot
   */
  memtable(): Memtable {
    const { takeBacks } = this.#wal;
    // Behind a gap, what was applied meanwhile would be hidden by what is older.
    const isBehind = this.#lsn <= this.#applied.position.lsn;
    if (isBehind || takeBacks !== this.#takeBacks || this.#memtable.usedBytes > WORTH_REMAKING_BYTES) {
      this.#memtable = new Memtable(this.#options);
      this.#lsn = 0;
      this.#takeBacks = takeBacks;
    }
    for (const record of this.#wal.pending(this.#lsn)) {
      addTo(this.#memtable, record);
      this.#lsn = record.lsn;
    }
    return this.#memtable;
  }

  /** The queue as it is now. */
  moment(): QueueMoment {
    const ahead = this.memtable().snapshot();
    return { ahead, sequence: this.#wal.nextSequence - 1, takeBacks: this.#takeBacks };
  }
}

function addTo(memtable: Memtable, { sequence, payload }: WalRecord): void {
  let next = sequence;
  for (const operation of operationsOf(payload)) {
    const at = next++;
    if (operation.type === "put")
      memtable.put(operation.key, operation.value, at, false, operation.expiresAt);
    else if (operation.type === "delete") memtable.delete(operation.key, at);
    else memtable.deleteRange(operation.start, operation.end, at);
  }
}
