import { mkdir } from "node:fs/promises";
import { loadPeer } from "../system.js";
import {
  STRING_JSON,
  STRING_MSGPACK,
  TUPLE_BYTES,
  type Tuple,
  type TupleRange,
  type TypedStore,
  type TypedSystem,
} from "../typed-system.js";

interface Database {
  put(key: string | Tuple, value: unknown): Promise<boolean>;
  batch(write: () => void): Promise<boolean>;
  get(key: string | Tuple): unknown;
  getRange(range: { start?: Tuple; end?: Tuple }): Iterable<{ key: Tuple; value: unknown }>;
  close(): Promise<void>;
}

interface Module {
  readonly open: (options: object) => Database;
}

const ENCODINGS = { json: "json", msgpack: "msgpack", bytes: "binary" } as const;

export const typedLmdb: TypedSystem = {
  typings: [STRING_JSON, STRING_MSGPACK, TUPLE_BYTES],
  encodings: 'encoding "json", "msgpack" (its default) or "binary"; keys by ordered-binary (its default)',
  async open(dir, durability, { value }) {
    const { open } = await loadPeer<Module>("lmdb");
    await mkdir(dir, { recursive: true });
    const noSync = durability === "relaxed";
    return new TypedLmdbStore(open({ path: dir, encoding: ENCODINGS[value], ...(noSync && { noSync }) }));
  },
};

class TypedLmdbStore implements TypedStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  put(key: string | Tuple, value: unknown): Promise<unknown> {
    return this.#db.put(key, value);
  }

  batch(entries: Parameters<TypedStore["batch"]>[0]): Promise<unknown> {
    return this.#db.batch(() => {
      for (const { key, value } of entries) void this.#db.put(key, value);
    });
  }

  getSync(key: string | Tuple): unknown {
    return this.#db.get(key);
  }

  async get(key: string | Tuple): Promise<unknown> {
    return this.#db.get(key);
  }

  async scan(visit: (key: Tuple, value: unknown) => void, range?: TupleRange): Promise<void> {
    const bounds = range === undefined ? {} : { start: range.from, end: range.to };
    for (const { key, value } of this.#db.getRange(bounds)) visit(key, value);
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}
