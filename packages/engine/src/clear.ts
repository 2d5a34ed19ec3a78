import type { SequenceNumber } from "@kaya/core";
import {
  OperationsBuffer,
  operationsOf,
  WAL_HEADER_LENGTH,
  type WalPayload,
  type WalRecord,
  type WalWriter,
} from "@kaya/wal";
import type { AppliedLog } from "./apply.js";
import { aroundReserved } from "./indexes/reserved.js";
import type { KeyRange } from "./memtable/key-range.js";
import { Memtable } from "./memtable/memtable.js";
import { extentOf } from "./range.js";
import { RangeReader } from "./store/range-reader.js";
import type { StoreSnapshot } from "./store/store-snapshot.js";
import { payloadOf } from "./write.js";

const NO_BYTES = new Uint8Array(0);

/** What a clear deleted, of the data through a write. */
export interface Deleted {
  readonly keys: readonly Uint8Array[];
  readonly upTo: SequenceNumber;
}

/** Keys that are to be deleted. */
export interface FoundKeys extends Deleted {
  /** Of each value; 0 where the write of it is under way. */
  readonly valueBytes: readonly number[];
}

/** Finds the first keys of a range, as they are once all writes before one moment are applied. */
export class LimitedClear {
  readonly #snapshot: StoreSnapshot;
  /** What writes under way do, as a memtable above the snapshot. */
  readonly #ahead: Memtable;
  /** Of the last write before that moment. */
  readonly #upTo: SequenceNumber;
  readonly #range: KeyRange;
  readonly #earlier: readonly Promise<Deleted>[];

  /**
   * For this moment.
   * @param earlier clears that were called before it and have no place in the log yet: what each deleted, once it is done
   */
  constructor(
    applied: AppliedLog,
    wal: Pick<WalWriter<unknown>, "pending" | "nextSequence">,
    range: KeyRange,
    earlier: readonly Promise<Deleted>[],
  ) {
    this.#earlier = earlier;
    this.#snapshot = applied.snapshot();
    this.#ahead = memtableOf(wal.pending());
    this.#upTo = wal.nextSequence - 1;
    this.#range = range;
  }

  /** @throws KayaError as the tables */
  async readKeys(): Promise<FoundKeys> {
    const keys: Uint8Array[] = [];
    const valueBytes: number[] = [];
    try {
      await this.#deleteEarlier();
    } catch (error) {
      this.#snapshot.release();
      throw error;
    }
    const ahead = this.#ahead.snapshot();
    try {
      for (const part of partsOf(this.#range)) {
        const range = { ...part, limit: (this.#range.limit ?? Number.POSITIVE_INFINITY) - keys.length };
        const reader = new RangeReader(this.#snapshot.cursor(range, { above: [ahead.run()] }), range);
        try {
          await reader.read(
            (entry) => {
              keys.push(new Uint8Array(entry.key));
              valueBytes.push(entry.value.length);
            },
            () => false,
          );
        } finally {
          reader.close();
        }
      }
      return { keys, valueBytes, upTo: this.#upTo };
    } finally {
      ahead.release();
      this.#snapshot.release();
    }
  }

  /** These keys, as what was deleted of the data of this moment. */
  deleted(keys: readonly Uint8Array[]): Deleted {
    return { keys, upTo: this.#upTo };
  }

  /** Earlier clears come before this one: what they delete is not here, unless it was written between the two calls. */
  async #deleteEarlier(): Promise<void> {
    let sequence = this.#upTo;
    for (const earlier of this.#earlier) {
      const { keys, upTo } = await earlier;
      for (const key of keys)
        if (((await this.#sequenceOf(key, upTo)) ?? 0) <= upTo) this.#ahead.delete(key, ++sequence);
    }
  }

  /** Of the newest write to a key, where it may be above `above`. */
  async #sequenceOf(key: Uint8Array, above: SequenceNumber): Promise<SequenceNumber | undefined> {
    const state = this.#ahead.stateOf(key) ?? this.#snapshot.stateInMemory(key);
    if (state !== undefined) return state.sequence;
    const { tables } = this.#snapshot;
    return tables.covered.sequence > above ? (await tables.find(key))?.sequence : undefined;
  }

  /** Those that no later write gave another value: it came behind this clear, and stays. */
  withoutLater(
    keys: readonly Uint8Array[],
    { store }: AppliedLog,
    wal: Pick<WalWriter<unknown>, "pendingChange">,
  ): readonly Uint8Array[] {
    const areTablesLater = store.tables.covered.sequence > this.#upTo;
    return keys.filter((key) => {
      const sequence =
        wal.pendingChange(key)?.sequence ??
        store.stateInMemory(key)?.sequence ??
        (areTablesLater ? store.tables.getSync(key)?.sequence : undefined);
      return sequence === undefined || sequence <= this.#upTo;
    });
  }
}

/** What it has besides the keys of indexes, in its direction. */
function partsOf(range: KeyRange): readonly KeyRange[] {
  const extent = extentOf(range);
  if (extent === undefined) return [];
  const { reverse = false } = range;
  const parts = aroundReserved(extent).map(({ start, end }) => ({
    gte: start,
    ...(end !== undefined && { lt: end }),
    reverse,
  }));
  return reverse ? parts.toReversed() : parts;
}

/** Deletes in as few records as fit: keys that fit one are deleted all or nothing. Of no keys it is one empty record. */
export function deletesOf(keys: readonly Uint8Array[], maxRecordBytes: number): readonly WalPayload[] {
  const roomOfBatch = maxRecordBytes - WAL_HEADER_LENGTH - 4;
  const payloads: WalPayload[] = [];
  const batch = new OperationsBuffer();
  const end = () => {
    // A key that fits a put may fit a delete and yet no batch around it.
    payloads.push(payloadOf(batch.take()));
  };
  for (const key of keys) {
    if (batch.count > 0 && batch.length + 5 + key.length > roomOfBatch) end();
    batch.delete(key);
  }
  if (batch.count > 0) end();
  return payloads.length > 0 ? payloads : [{ type: "noop" }];
}

/** Values are left out: only which keys are there counts. */
function memtableOf(records: Iterable<WalRecord>): Memtable {
  const memtable = new Memtable();
  for (const { sequence, payload } of records) {
    let next = sequence;
    for (const operation of operationsOf(payload)) {
      const at = next++;
      if (operation.type === "put") memtable.put(operation.key, NO_BYTES, at, false, operation.expiresAt);
      else if (operation.type === "delete") memtable.delete(operation.key, at);
      else memtable.deleteRange(operation.start, operation.end, at);
    }
  }
  return memtable;
}
