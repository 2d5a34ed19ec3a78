import { ValueCopier } from "@kaya/lsm";
import { readLimit, type ToArrayOptions } from "./range.js";
import type { Reading } from "./reading.js";
import { ENTRIES, KEYS, type KeyValue, PAIRS, type RowKind, VALUES } from "./row.js";
import type { ScanOf } from "./scan.js";
import type { RangeReader } from "./store/range-reader.js";

type Result<T> = IteratorResult<T, undefined>;

const DONE = { done: true, value: undefined } as const;

/**
 * `Rows` for a loop without `await`. It reads blocks that are not in memory synchronously, as `getSync` does, and the event loop stands still
 * while the loop runs. Reading throws KAYA_CORRUPTION, KAYA_IO and KAYA_CLOSED.
 */
export class SyncRows<T> implements Iterable<T> {
  readonly #of: ScanOf;
  readonly #kind: RowKind<T>;

  /** @internal Made by `Reader.scanSync`. */
  constructor(of: ScanOf, kind: RowKind<T>) {
    this.#of = of;
    this.#kind = kind;
  }

  [Symbol.iterator](): IterableIterator<T, undefined> {
    return new SyncRowIterator(this.#of.shared.reading(this.#of.range), this.#kind);
  }

  /** All of it in one array, or the first `limit` of it. @throws KayaError KAYA_INVALID_ARGUMENT, and as reading does */
  toArray(options?: ToArrayOptions): T[] {
    const range = readLimit(this.#of.range, options);
    return [...new SyncRowIterator(this.#of.shared.reading(range), this.#kind)];
  }

  /** Lets go of what it pins; for one that is not read to its end. Doing it again is fine. */
  close(): void {
    this.#of.shared.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The entries of a range as `{ key, value }`, or a part of them. */
export class SyncScan extends SyncRows<KeyValue> {
  readonly #of: ScanOf;

  /** @internal Made by `Reader.scanSync`. */
  constructor(of: ScanOf) {
    super(of, ENTRIES);
    this.#of = of;
  }

  /** The keys alone: values are not copied. */
  keys(): SyncRows<Uint8Array> {
    return new SyncRows(this.#of, KEYS);
  }

  /** The values alone: keys are not copied. */
  values(): SyncRows<Uint8Array> {
    return new SyncRows(this.#of, VALUES);
  }

  /** As `[key, value]`. */
  entries(): SyncRows<[key: Uint8Array, value: Uint8Array]> {
    return new SyncRows(this.#of, PAIRS);
  }
}

class SyncRowIterator<T> implements IterableIterator<T, undefined> {
  readonly #reading: Reading;
  readonly #kind: RowKind<T>;
  readonly #copier = new ValueCopier();
  #reader: RangeReader | undefined;
  #isDone = false;

  constructor(reading: Reading, kind: RowKind<T>) {
    this.#reading = reading;
    this.#kind = kind;
  }

  next(): Result<T> {
    if (this.#isDone) return DONE;
    try {
      this.#reading.assertOpen();
      this.#reader ??= this.#reading.begin({ sync: true });
      const cursor = this.#reader.nextSync();
      if (cursor === undefined) return this.return();
      const value = this.#kind.read(cursor, this.#copier);
      if (this.#reader.isAtEnd) this.return();
      return { done: false, value };
    } catch (error) {
      this.return();
      throw error;
    }
  }

  return(): Result<T> {
    this.#isDone = true;
    this.#reader?.close();
    this.#reader = undefined;
    this.#reading.end();
    return DONE;
  }

  [Symbol.iterator](): this {
    return this;
  }
}
