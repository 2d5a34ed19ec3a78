import type { KayaError } from "@kaya/core";
import { invalid } from "../input.js";
import type { RangeOptions } from "../range.js";
import type { Reader } from "../reader.js";
import type { ViewKeys, ViewRange } from "../view/view-keys.js";
import type { ViewValues } from "../view/view-values.js";
import { entryRange, entryRangeOf, type ParsedEntryKey, parseEntryKey } from "./entry-key.js";
import type { DeclaredIndex, IndexKeyOf, IndexPrefixOf } from "./index-options.js";

/** A row that an index leads to. */
export interface IndexRow<K, V, I> {
  readonly key: K;
  readonly value: V;
  /** The key of the index under which it stands there. */
  readonly indexKey: I;
}

/** One point in time, and what an index is there. */
export interface OpenIndex {
  readonly reader: Pick<Reader, "get" | "getMany" | "scan" | "count">;
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

const PAGE_ROWS = 128;

/**
 * Finds rows of a view by an index. An entry and its row are of one point in time: that of the beginning of the reading. Reading waits until the index is built; it
 * rejects as the view's reads, and with KAYA_NOT_UNIQUE or as the index's function where the index cannot be built.
 */
export abstract class IndexReader<K, V, I, P = never> {
  readonly #source: IndexSource<K, V>;
  readonly #keys: ViewKeys<I, P>;

  /** @internal Made by `View.index`. */
  constructor(source: IndexSource<K, V>) {
    this.#source = source;
    this.#keys = source.declared.keys as unknown as ViewKeys<I, P>;
  }

  /** The rows of a range of index keys, in the order of these; rows of one index key in the order of their keys. `limit` counts rows. */
  async *scan(range?: ViewRange<I, P>): AsyncGenerator<IndexRow<K, V, I>, undefined> {
    const given = this.#keys.range(range);
    const { reader, id, release } = await this.#source.open();
    try {
      for await (const page of reader.scan(rangeIn(id, given)).pages(PAGE_ROWS)) {
        const entries = page.map(({ key, value }) => this.#parsed(key, value));
        const values = await reader.getMany(entries.map(({ whole }) => whole));
        for (const [i, entry] of entries.entries()) {
          const row = this.#row(entry, values[i]);
          if (row !== undefined) yield row;
        }
      }
    } finally {
      release();
    }
  }

  /** The keys of the rows that `scan` gives; no row is read. */
  async *keys(range?: ViewRange<I, P>): AsyncGenerator<K, undefined> {
    const given = this.#keys.range(range);
    const { reader, id, release } = await this.#source.open();
    try {
      for await (const page of reader.scan(rangeIn(id, given)).pages(PAGE_ROWS))
        for (const { key, value } of page)
          yield this.#source.rows.keys.decode(this.#parsed(key, value).whole);
    } finally {
      release();
    }
  }

  /** How many entries a range has: a row counts once for each of its index keys. */
  async count(range?: ViewRange<I, P>): Promise<number> {
    const given = this.#keys.range(range);
    const { reader, id, release } = await this.#source.open();
    try {
      return await reader.count(rangeIn(id, given));
    } finally {
      release();
    }
  }

  /** The row with the smallest index key of a range; undefined where there is none. */
  async first(range?: Omit<ViewRange<I, P>, "reverse" | "limit">): Promise<IndexRow<K, V, I> | undefined> {
    return this.#end(range, false);
  }

  /** The row with the greatest index key of a range; undefined where there is none. */
  async last(range?: Omit<ViewRange<I, P>, "reverse" | "limit">): Promise<IndexRow<K, V, I> | undefined> {
    return this.#end(range, true);
  }

  /** @internal */
  protected async rowsOf(indexKey: I): Promise<IndexRow<K, V, I>[]> {
    const bytes = new Uint8Array(this.#keys.encode(indexKey));
    const { reader, id, release } = await this.#source.open();
    try {
      const entries: Parsed[] = [];
      for await (const page of reader.scan(entryRangeOf(id, bytes)).pages(PAGE_ROWS))
        for (const { key, value } of page) entries.push(this.#parsed(key, value));
      const values = await reader.getMany(entries.map(({ whole }) => whole));
      return entries.flatMap((entry, i) => this.#row(entry, values[i]) ?? []);
    } finally {
      release();
    }
  }

  async #end(range: ViewRange<I, P> | undefined, reverse: boolean): Promise<IndexRow<K, V, I> | undefined> {
    if (range !== undefined && ("reverse" in range || "limit" in range))
      throw invalid("first and last take bounds: no `reverse`, no `limit`");
    for await (const row of this.scan({ ...range, reverse })) return row;
    return undefined;
  }

  #parsed(key: Uint8Array, value: Uint8Array): Parsed {
    const parsed = parseEntryKey(key);
    const rowKey = this.#source.declared.unique ? value : parsed.rowKey;
    return { ...parsed, whole: Buffer.concat([this.#source.rows.keys.prefix, rowKey]) };
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
  /** The row's key in the store. */
  readonly whole: Uint8Array;
}

/** An index in which a key may lead to many rows. */
export class ManyIndex<K, V, I, P = never> extends IndexReader<K, V, I, P> {
  /** The rows that have this index key, in the order of their keys. */
  get(indexKey: I): Promise<IndexRow<K, V, I>[]> {
    return this.rowsOf(indexKey);
  }
}

/** An index in which a key leads to one row at most. */
export class UniqueIndex<K, V, I, P = never> extends IndexReader<K, V, I, P> {
  /** The row that has this index key; undefined where none has. */
  async get(indexKey: I): Promise<IndexRow<K, V, I> | undefined> {
    return (await this.rowsOf(indexKey))[0];
  }
}

/** The index that options make. */
export type IndexOf<O, K, V> = O extends { readonly unique: true }
  ? UniqueIndex<K, V, IndexKeyOf<O>, IndexPrefixOf<O>>
  : ManyIndex<K, V, IndexKeyOf<O>, IndexPrefixOf<O>>;

function rangeIn(id: number, { reverse, limit, ...bounds }: RangeOptions): RangeOptions {
  const range = entryRange(id, bounds as Record<string, Uint8Array | undefined>);
  return { ...range, ...(reverse !== undefined && { reverse }), ...(limit !== undefined && { limit }) };
}

/** Of a point in time before the index was built. */
export function notThere(what: string): KayaError {
  return invalid(
    `${what} was not built when this snapshot or transaction began: await view.ready() before it`,
  );
}
