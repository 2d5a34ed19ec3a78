import {
  boundOf,
  type Entry,
  PAGE_ENTRIES,
  type ScanRequest,
  type Store,
  type StoreMemory,
} from "../system.js";

interface Range {
  readonly reverse?: boolean;
  readonly gte?: Uint8Array;
  readonly lte?: Uint8Array;
  readonly limit?: number;
}

interface LevelIterator extends AsyncIterable<[Uint8Array, Uint8Array]> {
  nextv(size: number): Promise<[Uint8Array, Uint8Array][]>;
  close(): Promise<void>;
}

/** The used part of an abstract-level, of any version. */
export interface Level {
  open(): Promise<void>;
  put(key: Uint8Array, value: Uint8Array, options?: object): Promise<void>;
  batch(operations: readonly object[], options?: object): Promise<void>;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  getSync?(key: Uint8Array): Uint8Array | undefined;
  iterator(range: Range): LevelIterator;
  close(): Promise<void>;
}

/** Keys and values go through as bytes. */
export const BYTES = { keyEncoding: "view", valueEncoding: "view" } as const;

/** One buffer takes writes, the other is flushed. */
const WRITE_BUFFERS = 2;

/** The options of classic-level for its memory. */
export function levelMemory(memory: StoreMemory | undefined): object {
  if (memory === undefined) return {};
  return { cacheSize: memory.cacheBytes, writeBufferSize: memory.writeBufferBytes / WRITE_BUFFERS };
}

/** The abstract-level family: `for await` for entries, `nextv` for pages. */
export class AbstractLevelStore implements Store {
  getSync?(key: Uint8Array): Uint8Array | undefined;
  readonly #level: Level;
  readonly #writeOptions: object;

  constructor(level: Level, writeOptions: object) {
    this.#level = level;
    this.#writeOptions = writeOptions;
    if (level.getSync !== undefined) this.getSync = level.getSync.bind(level);
  }

  put(key: Uint8Array, value: Uint8Array): Promise<void> {
    return this.#level.put(key, value, this.#writeOptions);
  }

  batch(entries: readonly Entry[]): Promise<void> {
    return this.#level.batch(
      entries.map(({ key, value }) => ({ type: "put", key, value })),
      this.#writeOptions,
    );
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#level.get(key);
  }

  async scan({
    by,
    visit,
    from,
    reverse = false,
    limit = Number.POSITIVE_INFINITY,
  }: ScanRequest): Promise<void> {
    const iterator = this.#level.iterator({ reverse, limit, ...boundOf(from, reverse) });
    if (by === "entries") {
      for await (const [key, value] of iterator) visit(key, value);
      return;
    }
    try {
      let left = limit;
      while (left > 0) {
        const page = await iterator.nextv(Math.min(left, PAGE_ENTRIES));
        if (page.length === 0) return;
        for (const [key, value] of page) visit(key, value);
        left -= page.length;
      }
    } finally {
      await iterator.close();
    }
  }

  close(): Promise<void> {
    return this.#level.close();
  }
}
