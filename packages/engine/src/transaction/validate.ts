import type { SequenceNumber } from "@kaya/core";
import type { EntryCursor, Extent, LsmSnapshot } from "@kaya/lsm";
import { operationsOf, type WalWriter } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import { compareBytes } from "../memtable/bytes.js";
import { aliveAt, stateOfFound } from "../store/key-state.js";
import { RangeReader } from "../store/range-reader.js";
import type { Turns } from "../turns.js";
import type { WriteResult } from "../write.js";
import type { Basis } from "./basis.js";
import { type Changed, changedBy, changedIn, changedKey } from "./changed.js";
import type { FirstToExpire, ReadRange, TransactionSource } from "./transaction-source.js";

/** What was read, and was changed since. */
export interface Lost extends Changed {
  /** The range in which the key is, where a range was read. */
  readonly range?: Extent;
}

/** What a transaction read. It must be unchanged when the transaction gets its place in the log. */
export class Validation {
  readonly #applied: AppliedLog;
  readonly #wal: WalWriter<WriteResult>;
  readonly #turns: Turns;
  readonly #basis: Basis;
  readonly #keys: readonly Uint8Array[];
  readonly #ranges: readonly ReadRange[];
  readonly #firstToExpire: FirstToExpire | undefined;
  /** Of the last write for which it is known to hold. */
  #validTo: SequenceNumber;

  constructor(applied: AppliedLog, wal: WalWriter<WriteResult>, source: TransactionSource) {
    this.#applied = applied;
    this.#wal = wal;
    this.#turns = source.turns;
    this.#basis = source.basis;
    this.#keys = [...source.keys];
    this.#ranges = source.ranges;
    this.#firstToExpire = source.firstToExpire;
    this.#validTo = source.basis.sequence;
  }

  /**
   * Tables may have changes that no memtable has any more: then what was read is compared with what they have now. Deleted keys may have
   * left nothing there.
   * @returns what was changed, or undefined: then `lostNow` may tell all, in this same turn
   */
  async lostInTables(): Promise<Lost | undefined> {
    while (this.#applied.store.tables.covered.sequence > this.#validTo) {
      const tables = this.#applied.store.tables.snapshot();
      try {
        const lost = (await this.#lostKeyIn(tables)) ?? (await this.#lostRangeIn(tables));
        if (lost !== undefined) return lost;
        this.#validTo = tables.covered.sequence;
      } finally {
        tables.release();
      }
    }
    return undefined;
  }

  /** `lostInTables` has nothing to do. */
  get isInMemory(): boolean {
    return this.#applied.store.tables.covered.sequence <= this.#validTo;
  }

  /** What writes changed that are in memtables or queued in the log, and what has expired since it was read. */
  lostNow(): Lost | undefined {
    const expiring = this.#firstToExpire;
    if (expiring !== undefined && expiring.expiresAt <= this.#applied.store.now())
      return { key: expiring.key, sequence: undefined };
    for (const key of this.#keys) {
      const lost = this.#lostKey(key);
      if (lost !== undefined) return lost;
    }
    const queued = this.#queuedInRanges();
    if (queued !== undefined) return queued;
    for (const { whole, read } of this.#ranges) {
      const changed = this.#changedIn(read);
      if (changed !== undefined) return { ...changed, range: whole };
    }
    return undefined;
  }

  #lostKey(key: Uint8Array): Lost | undefined {
    const sequence = this.#wal.pendingChange(key)?.sequence ?? 0;
    if (sequence > this.#validTo) return { key, sequence };
    for (const memtable of this.#applied.store.memtables) {
      const changed = changedKey(memtable, key, this.#validTo);
      if (changed !== undefined) return changed;
    }
    return undefined;
  }

  /** Goes once over the records of the log that are behind what was read and are not applied. */
  #queuedInRanges(): Lost | undefined {
    if (this.#ranges.length === 0) return undefined;
    for (const record of this.#wal.pending(this.#basis.lsn)) {
      let { sequence } = record;
      for (const operation of operationsOf(record.payload)) {
        for (const { whole, read } of this.#ranges) {
          const key = changedBy(operation, read);
          if (key !== undefined) return { key, sequence, range: whole };
        }
        sequence++;
      }
    }
    return undefined;
  }

  #changedIn(extent: Extent): Changed | undefined {
    for (const memtable of this.#applied.store.memtables) {
      const changed = changedIn(memtable, extent, this.#validTo);
      if (changed !== undefined) return changed;
    }
    return undefined;
  }

  async #lostKeyIn(tables: LsmSnapshot): Promise<Lost | undefined> {
    for (const key of this.#keys) {
      const { now } = this.#basis;
      const inMemory = this.#basis.stateInMemory(key);
      const read = aliveAt(inMemory ?? stateOfFound(await this.#basis.tables.find(key)), now);
      const { sequence } = aliveAt(stateOfFound(await tables.find(key)), now);
      if (read.sequence !== sequence) return { key, sequence };
    }
    return undefined;
  }

  async #lostRangeIn(tables: LsmSnapshot): Promise<Lost | undefined> {
    for (const { whole, read } of this.#ranges) {
      const range = { gte: read.start, ...(read.end !== undefined && { lt: read.end }) };
      const was = new RangeReader(this.#basis.cursor(range), range);
      const is = new RangeReader(tables.cursor({ now: this.#basis.now() }), range);
      try {
        const changed = await firstDifference(was, is, this.#turns);
        if (changed !== undefined) return { ...changed, range: whole };
      } finally {
        was.close();
        is.close();
      }
    }
    return undefined;
  }
}

/** The first entry that is in one of them alone, or has another sequence there. */
async function firstDifference(
  was: RangeReader,
  is: RangeReader,
  turns: Turns,
): Promise<Changed | undefined> {
  for (let count = 1; ; count++) {
    const [before, now] = [await nextOf(was), await nextOf(is)];
    if (before === undefined && now === undefined) return undefined;
    const order = before && now ? compareBytes(before.key, now.key) : before === undefined ? 1 : -1;
    if (order < 0) return { key: (before as Changed).key, sequence: undefined };
    if (order > 0 || before?.sequence !== now?.sequence) return now;
    if (count % turns.operations === 0) await turns.next();
  }
}

async function nextOf(reader: RangeReader): Promise<Changed | undefined> {
  let found: Changed | undefined;
  const visit = ({ key, sequence }: EntryCursor): void => {
    found = { key: new Uint8Array(key), sequence };
  };
  await reader.read(visit, () => found !== undefined);
  return found;
}
