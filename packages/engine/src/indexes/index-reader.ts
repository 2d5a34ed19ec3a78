import type { KayaError } from "@kaya/core";
import { invalid } from "../input.js";
import { compareBytes } from "../memtable/bytes.js";
import type { KeyRange } from "../memtable/key-range.js";
import { toKeyRange } from "../range.js";
import type { Reader } from "../reader.js";
import type { KeyValue } from "../row.js";
import type { ViewKeys, ViewRange } from "../view/view-keys.js";
import type { ViewValues } from "../view/view-values.js";
import { entryKey, entryRange, entryRangeOf, type ParsedEntryKey, parseEntryKey } from "./entry-key.js";
import type { DeclaredIndex, IndexKeyOf, IndexPrefixOf } from "./index-options.js";
import { IndexRows } from "./index-rows.js";
import type { OwnRows } from "./own-rows.js";

/** A row that an index leads to. */
export interface IndexRow<K, V, I> {
  /** The key of the row in the view. */
  readonly key: K;
  /** The value of the row. */
  readonly value: V;
  /** The index key under which the row was found. */
  readonly indexKey: I;
}

/** One point in time, and what an index is there. */
export interface OpenIndex {
  readonly reader: Pick<Reader, "get" | "getMany" | "scan" | "count">;
  /** What a transaction wrote itself; undefined: nothing. */
  readonly own: OwnRows | undefined;
  /** Of the index. */
  readonly id: number;
  /** The reading is over. */
  release(): void;
}

export interface IndexSource<K, V> {
  readonly declared: DeclaredIndex;
  readonly rows: {
    readonly keys: Pick<ViewKeys<K, unknown>, "prefix" | "decode">;
    readonly values: Pick<ViewValues<V, never>, "decode">;
  };
  /** Once the index is built. */
  open(): Promise<OpenIndex>;
}

const ENTRIES_AT_ONCE = 128;

/**
 * Finds rows of a view by an index. An index entry and its row are read at one moment: the beginning of the
 * reading. A reading waits until the index is built.
 */
export abstract class IndexReader<K, V, I, P = never> {
  readonly #source: IndexSource<K, V>;
  readonly #keys: ViewKeys<I, P>;

  /** @internal Made by `View.index`. */
  constructor(source: IndexSource<K, V>) {
    this.#source = source;
    this.#keys = source.declared.keys as unknown as ViewKeys<I, P>;
  }

  /**
   * The rows of a range of index keys, in the order of the index keys; rows with the same index key in the
   * order of their keys. `limit` counts rows.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT; while reading also KAYA_NOT_UNIQUE if the index cannot be built,
   *   KAYA_DECODE_FAILED, KAYA_CORRUPTION, KAYA_IO, KAYA_READ_ONLY, KAYA_CLOSED
   */
  scan(range?: ViewRange<I, P>): IndexRows<IndexRow<K, V, I>> {
    return this.#rows(range, (open, entries) => this.#rowsOf(open, entries));
  }

  /**
   * The keys of the rows in a range of index keys; no row is read.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT; while reading also KAYA_NOT_UNIQUE if the index cannot be built,
   *   KAYA_DECODE_FAILED, KAYA_CORRUPTION, KAYA_IO, KAYA_READ_ONLY, KAYA_CLOSED
   */
  keys(range?: ViewRange<I, P>): IndexRows<K> {
    return this.#rows(range, (_, entries) =>
      entries.map(({ whole }) => this.#source.rows.keys.decode(whole)),
    );
  }

  /**
   * How many entries a range of index keys has: a row counts once for each of its index keys.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_UNIQUE if the index cannot be built, KAYA_CORRUPTION,
   *   KAYA_IO, KAYA_READ_ONLY, KAYA_CLOSED
   */
  async count(range?: ViewRange<I, P>): Promise<number> {
    const given = toKeyRange(this.#keys.range(range));
    const open = await this.#source.open();
    try {
      const within = rangeIn(open.id, given);
      if (open.own === undefined) return await open.reader.count(within);
      let count = 0;
      for await (const entries of this.#pages(open, within)) count += entries.length;
      return count;
    } finally {
      open.release();
    }
  }

  /**
   * The row with the smallest index key of a range; undefined if there is none.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_UNIQUE if the index cannot be built, KAYA_DECODE_FAILED,
   *   KAYA_CORRUPTION, KAYA_IO, KAYA_READ_ONLY, KAYA_CLOSED
   */
  async first(range?: Omit<ViewRange<I, P>, "reverse" | "limit">): Promise<IndexRow<K, V, I> | undefined> {
    return this.#end(range, false);
  }

  /**
   * The row with the greatest index key of a range; undefined if there is none.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_UNIQUE if the index cannot be built, KAYA_DECODE_FAILED,
   *   KAYA_CORRUPTION, KAYA_IO, KAYA_READ_ONLY, KAYA_CLOSED
   */
  async last(range?: Omit<ViewRange<I, P>, "reverse" | "limit">): Promise<IndexRow<K, V, I> | undefined> {
    return this.#end(range, true);
  }

  /** @internal */
  protected async rowsOf(indexKey: I): Promise<IndexRow<K, V, I>[]> {
    const bytes = new Uint8Array(this.#keys.encode(indexKey));
    const open = await this.#source.open();
    try {
      const rows: IndexRow<K, V, I>[] = [];
      for await (const entries of this.#pages(open, entryRangeOf(open.id, bytes)))
        rows.push(...(await this.#rowsOf(open, entries)));
      return rows;
    } finally {
      open.release();
    }
  }

  /** @internal The one row of a key in a unique index. */
  protected async rowOf(indexKey: I): Promise<IndexRow<K, V, I> | undefined> {
    const bytes = new Uint8Array(this.#keys.encode(indexKey));
    const { declared, open } = this.#source;
    const { reader, id, own, release } = await open();
    try {
      const entry = entryKey(id, bytes);
      const [mine] = own?.entries(id, declared, entryRangeOf(id, bytes)) ?? [];
      const found = mine?.value ?? (await reader.get(entry));
      if (found === undefined) return undefined;
      const parsed = this.#parsed(entry, found);
      if (mine === undefined && own?.hides(parsed.whole) === true) return undefined;
      return this.#row(parsed, await reader.get(parsed.whole));
    } finally {
      release();
    }
  }

  #rows<T>(
    range: ViewRange<I, P> | undefined,
    rowsOf: (open: OpenIndex, entries: readonly Parsed[]) => readonly T[] | Promise<readonly T[]>,
  ): IndexRows<T> {
    const given = toKeyRange(this.#keys.range(range));
    const { open: begin } = this.#source;
    const pages = (open: OpenIndex, within: EntryRange, size: number) => this.#pages(open, within, size);
    return new IndexRows(async function* (rowsAtOnce, limit = Number.POSITIVE_INFINITY) {
      const open = await begin();
      try {
        const within = rangeIn(open.id, { ...given, limit: Math.min(limit, given.limit ?? limit) });
        for await (const entries of pages(open, within, rowsAtOnce)) yield await rowsOf(open, entries);
      } finally {
        open.release();
      }
    });
  }

  /** The entries of a range of their keys. */
  async *#pages(
    { reader, own, id }: OpenIndex,
    range: EntryRange,
    size = ENTRIES_AT_ONCE,
  ): AsyncGenerator<Parsed[], undefined> {
    if (own === undefined) {
      for await (const page of reader.scan(range).pages(size))
        yield page.map(({ key, value }) => this.#parsed(key, value));
      return;
    }
    const { limit = Number.POSITIVE_INFINITY, ...within } = range;
    const isBefore = (a: KeyValue, b: Parsed) =>
      compareBytes(a.key, b.entry) < 0 !== (range.reverse === true);
    const written = own.entries(id, this.#source.declared, range);
    let left = limit;
    const take = (entries: Parsed[]) => {
      const taken = entries.slice(0, left);
      left -= taken.length;
      return taken;
    };
    for await (const page of reader.scan(within).pages(Math.min(size, Math.max(1, limit)))) {
      const merged: Parsed[] = [];
      for (const { key, value } of page) {
        const parsed = this.#parsed(key, value);
        if (own.hides(parsed.whole)) continue;
        while (written[0] !== undefined && isBefore(written[0], parsed)) merged.push(this.#next(written));
        merged.push(parsed);
      }
      yield take(merged);
      if (left === 0) return;
    }
    yield take(written.map(({ key, value }) => this.#parsed(key, value)));
  }

  #next(written: KeyValue[]): Parsed {
    const { key, value } = written.shift() as KeyValue; // there is one
    return this.#parsed(key, value);
  }

  /** The rows of entries. One that is not there was deleted past the views. */
  async #rowsOf({ reader }: OpenIndex, entries: readonly Parsed[]): Promise<IndexRow<K, V, I>[]> {
    const values = await reader.getMany(entries.map(({ whole }) => whole));
    return entries.flatMap((entry, i) => this.#row(entry, values[i]) ?? []);
  }

  async #end(range: ViewRange<I, P> | undefined, reverse: boolean): Promise<IndexRow<K, V, I> | undefined> {
    if (range !== undefined && ("reverse" in range || "limit" in range))
      throw invalid("first and last take bounds: no `reverse`, no `limit`");
    for await (const [row] of this.scan({ ...range, reverse }).pages(1)) return row;
    return undefined;
  }

  #parsed(key: Uint8Array, value: Uint8Array): Parsed {
    const parsed = parseEntryKey(key);
    const rowKey = this.#source.declared.unique ? value : parsed.rowKey;
    return { ...parsed, entry: key, whole: Buffer.concat([this.#source.rows.keys.prefix, rowKey]) };
  }

  /** Undefined where the row is not there: something wrote past the views. */
  #row({ indexKey, whole }: Parsed, value: Uint8Array | undefined): IndexRow<K, V, I> | undefined {
    if (value === undefined) return undefined;
    const { keys, values } = this.#source.rows;
    return {
      key: keys.decode(whole),
      value: values.decode(value, whole),
      indexKey: this.#keys.decode(indexKey),
    };
  }
}

interface Parsed extends ParsedEntryKey {
  readonly entry: Uint8Array;
  /** The row's key in the store. */
  readonly whole: Uint8Array;
}

/** An index in which several rows may have the same index key. */
export class ManyIndex<K, V, I, P = never> extends IndexReader<K, V, I, P> {
  /**
   * The rows that have this index key, in the order of their keys; an empty array if there are none.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_DECODE_FAILED, KAYA_CORRUPTION, KAYA_IO, KAYA_READ_ONLY,
   *   KAYA_CLOSED
   */
  get(indexKey: I): Promise<IndexRow<K, V, I>[]> {
    return this.rowsOf(indexKey);
  }
}

/** An index in which at most one row has an index key. */
export class UniqueIndex<K, V, I, P = never> extends IndexReader<K, V, I, P> {
  /**
   * The row that has this index key; undefined if there is none.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_UNIQUE if the index cannot be built, KAYA_DECODE_FAILED,
   *   KAYA_CORRUPTION, KAYA_IO, KAYA_READ_ONLY, KAYA_CLOSED
   */
  get(indexKey: I): Promise<IndexRow<K, V, I> | undefined> {
    return this.rowOf(indexKey);
  }
}

/** The type of the index that these options make: `UniqueIndex` with `unique: true`, otherwise `ManyIndex`. */
export type IndexOf<O, K, V> = O extends { readonly unique: true }
  ? UniqueIndex<K, V, IndexKeyOf<O>, IndexPrefixOf<O>>
  : ManyIndex<K, V, IndexKeyOf<O>, IndexPrefixOf<O>>;

/** A range of the keys of entries. */
interface EntryRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  readonly reverse?: boolean;
  readonly limit?: number;
}

function rangeIn(
  id: number,
  { reverse = false, limit = Number.POSITIVE_INFINITY, ...bounds }: KeyRange,
): EntryRange {
  return { ...entryRange(id, bounds), reverse, limit };
}

/** Of a point in time before the index was built. */
export function notThere(what: string): KayaError {
  return invalid(
    `${what} was not built when this snapshot or transaction began: await view.ready() before it`,
  );
}
