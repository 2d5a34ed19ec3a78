import type { LogPosition, Lsn, SequenceNumber } from "@kaya/core";
import { operationsOf, type WalWriter } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import type { Now } from "../clock.js";
import { Memtable } from "../memtable/memtable.js";
import type { MemtableSnapshot } from "../memtable/memtable-snapshot.js";
import type { KeyState } from "../store/key-state.js";
import type { WriteResult } from "../write.js";
import { OperationList, stateBy, valueBy } from "./operation-list.js";

/** From so many bytes on it is made anew, without what is applied by then. */
const WORTH_REMAKING_BYTES = 1024 * 1024;

/**
 * What is queued in the log and not applied. A record is read when somebody asks first, and once or twice more where much is queued. The copy of
 * it is the moments': it goes with the last of them.
 */
export class QueueView {
  readonly #applied: AppliedLog;
  readonly #wal: WalWriter<WriteResult>;
  #list = new WeakRef(new OperationList());
  /** It is made anew when it has more. */
  #mostBytes = WORTH_REMAKING_BYTES;
  /** The last record that was read. */
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

  /** What is queued now; some of it may be applied already. It grows later: use it in this turn. */
  operations(): OperationList {
    const { takeBacks } = this.#wal;
    // Behind a gap, what was applied meanwhile would be hidden by what is older.
    const isBehind = this.#lsn <= this.#applied.position.lsn;
    const known = isBehind || takeBacks !== this.#takeBacks ? undefined : this.#list.deref();
    const isKept = known !== undefined && known.bytes <= this.#mostBytes;
    const list = isKept ? known : new OperationList();
    if (!isKept) {
      this.#list = new WeakRef(list);
      this.#lsn = 0;
      this.#takeBacks = takeBacks;
    }
    for (const { lsn, sequence, payload } of this.#wal.pending(this.#lsn)) {
      let next = sequence;
      for (const operation of operationsOf(payload)) list.add(operation, next++);
      this.#lsn = lsn;
    }
    // Made anew at twice the size: however much is queued, a record is copied a few times at most.
    if (!isKept) this.#mostBytes = Math.max(WORTH_REMAKING_BYTES, 2 * list.bytes);
    return list;
  }

  /** The queue as it is now. */
  moment(): QueueMoment {
    const operations = this.operations();
    const { nextLsn, nextSequence } = this.#wal;
    return new QueueMoment(operations, { lsn: nextLsn - 1, sequence: nextSequence - 1 }, this.#takeBacks);
  }
}

/** What the writes under way do, at one moment. */
export class QueueMoment {
  /** Of the last record in the queue. */
  readonly lsn: Lsn;
  /** Of the last write in it. */
  readonly sequence: SequenceNumber;
  /** See `WalWriter.takeBacks`: what is ahead counts only while this stays the same. */
  readonly takeBacks: number;
  readonly #list: OperationList;
  readonly #count: number;
  /** Made when a range is read. */
  #snapshot: MemtableSnapshot | undefined;

  constructor(list: OperationList, { lsn, sequence }: LogPosition, takeBacks: number) {
    this.#list = list;
    this.#count = list.length;
    this.lsn = lsn;
    this.sequence = sequence;
    this.takeBacks = takeBacks;
  }

  /** As `Memtable.get`. */
  get(key: Uint8Array, now: Now): Uint8Array | null | undefined {
    const last = this.#list.lastOn(key, this.#count);
    return last && valueBy(last, now);
  }

  /** Undefined: nothing here is about the key. */
  stateOf(key: Uint8Array): KeyState | undefined {
    const last = this.#list.lastOn(key, this.#count);
    return last && stateBy(last);
  }

  /** All of it, in the order of keys. Release it. */
  snapshot(): MemtableSnapshot {
    if (this.#snapshot === undefined) {
      const memtable = new Memtable();
      this.#list.addTo(memtable, 0, this.#count, 0);
      this.#snapshot = memtable.snapshot();
    }
    return this.#snapshot.another();
  }

  /** Doing it again is fine. */
  release(): void {
    this.#snapshot?.release();
    this.#snapshot = undefined;
  }
}
