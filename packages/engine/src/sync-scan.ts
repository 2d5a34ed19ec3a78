import { ValueCopier } from "@kaya/lsm";
import { readLimit, type ToArrayOptions } from "./range.js";
import type { Reading } from "./reading.js";
import { ENTRIES, KEYS, type KeyValue, PAIRS, type RowKind, VALUES } from "./row.js";
import type { ScanOf } from "./scan.js";
import type { RangeReader } from "./store/range-reader.js";

type Result<T> = IteratorResult<T, undefined>;

const DONE = { done: true, value: undefined } as const;

/**
 * Entries, keys or values of a range for a loop without `await`. It reads blocks that are not in memory
 * synchronously, and the event loop stands still while the loop runs. It keeps memory and files until it is
 * read to the end or closed.
 *
 * @throws KayaError while reading: KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED
 */
export class SyncRows<T> implements Iterable<T> {
  readonly #of: ScanOf;
  readonly #kind: RowKind<T>;

  /** @internal Made by `Reader.scanSync`. */
  constructor(of: ScanOf, kind: RowKind<T>) {
    this.#of = of;
    this.#kind = kind;
  }

  /**
   * Begins the one reading: for `for … of`.
   *
   * @throws KayaError KAYA_CLOSED if it was read or closed before
   */
  [Symbol.iterator](): IterableIterator<T, undefined> {
    return new SyncRowIterator(this.#of.shared.reading(this.#of.range), this.#kind);
  }

  /**
   * Reads all of it, or the first `limit` rows, into one array. Without a limit it needs memory for the whole
   * range.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO,
   *   KAYA_CLOSED
   */
  toArray(options?: ToArrayOptions): T[] {
    const range = readLimit(this.#of.range, options);
    return [...new SyncRowIterator(this.#of.shared.reading(range), this.#kind)];
  }

  /**
   * Releases the memory and files that it keeps. Call it if you do not read it to the end. A second call does
   * nothing.
   */
  close(): void {
    this.#of.shared.close();
  }

  /** Closes it at the end of a `using` block, as `close` does. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** The entries of a range, each as `{ key, value }`, for a loop without `await`; or a part of each. */
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

  /** The entries, each as the pair `[key, value]`. */
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
