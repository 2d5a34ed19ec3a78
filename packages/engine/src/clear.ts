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
import type { KeyRange } from "./memtable/key-range.js";
import { Memtable } from "./memtable/memtable.js";
import { RangeReader } from "./store/range-reader.js";
import type { StoreSnapshot } from "./store/store-snapshot.js";

const NO_BYTES = new Uint8Array(0);

/** The first keys of a range, as they will be once all writes before one moment are in. */
export class LimitedClear {
  readonly #snapshot: StoreSnapshot;
  /** What writes under way do, as a memtable above the snapshot. */
  readonly #ahead: Memtable;
  /** Of the last write before that moment. */
  readonly #upTo: SequenceNumber;
  readonly #range: KeyRange;

  /** For this moment. */
  constructor(
    applied: AppliedLog,
    wal: Pick<WalWriter<unknown>, "pending" | "nextSequence">,
    range: KeyRange,
  ) {
    this.#snapshot = applied.snapshot();
    this.#ahead = memtableOf(wal.pending());
    this.#upTo = wal.nextSequence - 1;
    this.#range = range;
  }

  /** @throws KayaError as the tables */
  async readKeys(): Promise<readonly Uint8Array[]> {
    const keys: Uint8Array[] = [];
    const ahead = this.#ahead.snapshot();
    const reader = new RangeReader(this.#snapshot.cursor([ahead.run()]), this.#range);
    try {
      await reader.read(
        ({ key }) => keys.push(new Uint8Array(key)),
        () => false,
      );
      return keys;
    } finally {
      reader.close();
      ahead.release();
      this.#snapshot.release();
    }
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

/** Deletes in as few records as fit: keys that fit one are deleted all or nothing. Of no keys it is one empty record. */
export function deletesOf(keys: readonly Uint8Array[], maxRecordBytes: number): readonly WalPayload[] {
  const roomOfBatch = maxRecordBytes - WAL_HEADER_LENGTH - 4;
  const payloads: WalPayload[] = [];
  const batch = new OperationsBuffer();
  const end = () => {
    const operations = batch.take();
    // A key that fits a put may fit a delete and yet no batch around it.
    const [first] = operations.length === 1 ? operations : [];
    payloads.push(first ?? { type: "batch", operations });
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
      if (operation.type === "put") memtable.put(operation.key, NO_BYTES, at);
      else if (operation.type === "delete") memtable.delete(operation.key, at);
      else memtable.deleteRange(operation.start, operation.end, at);
    }
  }
  return memtable;
}
