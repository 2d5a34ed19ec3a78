import { mkdir } from "node:fs/promises";
import { type Change, type Entry, loadPeer, type ScanRequest, type Store, type System } from "../system.js";
import { typedLmdb } from "./typed-lmdb.js";

interface Database {
  put(key: Uint8Array, value: Uint8Array): Promise<boolean>;
  putSync(key: Uint8Array, value: Uint8Array): void;
  batch(write: () => void): Promise<boolean>;
  transaction(work: () => void): Promise<void>;
  get(key: Uint8Array): Uint8Array | undefined;
  getRange(range: {
    reverse?: boolean;
    start?: Uint8Array;
    limit?: number;
  }): Iterable<{ key: Uint8Array; value: Uint8Array }>;
  close(): Promise<void>;
}

interface Module {
  readonly open: (options: object) => Database;
}

export const lmdb: System = {
  name: "lmdb",
  kind: "peer",
  packageName: "lmdb",
  onDisk: true,
  gathersPuts: true,
  typed: typedLmdb,
  setup: {
    durable: "its defaults; synchronous: putSync",
    relaxed: "noSync: true (a power cut may damage it)",
    transactions: "transaction(callback); updates as well",
  },
  async open(dir, durability) {
    const { open } = await loadPeer<Module>("lmdb");
    await mkdir(dir, { recursive: true });
    const noSync = durability === "relaxed";
    return new LmdbStore(
      open({ path: dir, keyEncoding: "binary", encoding: "binary", ...(noSync && { noSync }) }),
    );
  },
};

class LmdbStore implements Store {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  put(key: Uint8Array, value: Uint8Array): Promise<unknown> {
    return this.#db.put(key, value);
  }

  putSync(key: Uint8Array, value: Uint8Array): void {
    this.#db.putSync(key, value);
  }

  batch(entries: readonly Entry[]): Promise<unknown> {
    return this.#db.batch(() => {
      for (const { key, value } of entries) void this.#db.put(key, value);
    });
  }

  /** Its callback runs in the only write transaction: keys that it reads cannot change before it commits. */
  transact(keys: readonly Uint8Array[], change: Change): Promise<void> {
    return this.#db.transaction(() => {
      for (const key of keys) void this.#db.put(key, change(this.#db.get(key)));
    });
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.#db.get(key);
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#db.get(key);
  }

  async scan({ visit, from, limit, reverse = false }: ScanRequest): Promise<void> {
    const range = {
      reverse,
      ...(from !== undefined && { start: from }),
      ...(limit !== undefined && { limit }),
    };
    for (const { key, value } of this.#db.getRange(range)) visit(key, value);
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}
