import { mkdir } from "node:fs/promises";
import { promisify } from "node:util";
import { boundOf, type Entry, loadPeer, type ScanRequest, type Store, type System } from "../system.js";

type Callback<T = void> = (error: Error | null | undefined, value: T) => void;

/** The part of abstract-leveldown that the bench uses. It treats a `Uint8Array` as a string unless it is a `Buffer`. */
interface Leveldown {
  open(options: object, callback: Callback): void;
  put(key: Buffer, value: Buffer, options: object, callback: Callback): void;
  batch(operations: readonly object[], options: object, callback: Callback): void;
  get(key: Buffer, callback: Callback<Buffer>): void;
  iterator(range: object): LeveldownIterator;
  close(callback: Callback): void;
}

interface LeveldownIterator {
  /** Gives neither key nor value at the end. */
  next(callback: (error: Error | null | undefined, key?: Buffer, value?: Buffer) => void): void;
  end(callback: Callback): void;
}

interface Module {
  readonly default: (dir: string) => Leveldown;
}

/** Its `max_write_buffer_number`: one buffer takes writes, the other is flushed. */
const WRITE_BUFFERS = 2;

/** RocksDB 6.17, from the time of leveldown: the package of this name on npm. */
export const rocksdb6: System = {
  name: "rocksdb-6",
  kind: "peer",
  packageName: "rocksdb",
  onDisk: true,
  setup: { durable: "sync: true", relaxed: "sync: false (its default)" },
  async open(dir, durability, memory) {
    const { default: rocksdb } = await loadPeer<Module>("rocksdb");
    await mkdir(dir, { recursive: true });
    const db = rocksdb(dir);
    const options = memory && {
      cacheSize: memory.cacheBytes,
      writeBufferSize: memory.writeBufferBytes / WRITE_BUFFERS,
    };
    await promisify(db.open.bind(db))({ ...options });
    return new LeveldownStore(db, { sync: durability === "durable" });
  },
};

class LeveldownStore implements Store {
  readonly #db: Leveldown;
  readonly #writeOptions: object;

  constructor(db: Leveldown, writeOptions: object) {
    this.#db = db;
    this.#writeOptions = writeOptions;
  }

  put(key: Uint8Array, value: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#db.put(asBuffer(key), asBuffer(value), this.#writeOptions, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  batch(entries: readonly Entry[]): Promise<void> {
    const puts = entries.map(({ key, value }) => ({
      type: "put",
      key: asBuffer(key),
      value: asBuffer(value),
    }));
    return new Promise((resolve, reject) => {
      this.#db.batch(puts, this.#writeOptions, (error) => (error ? reject(error) : resolve()));
    });
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.#db.get(asBuffer(key), (error, value) => {
        if (!error) resolve(value);
        // It has no code for a key that is missing.
        else if (/notfound/i.test(error.message)) resolve(undefined);
        else reject(error);
      });
    });
  }

  /** Has one way only: its iterator gives an entry a call, from pages that it reads itself. */
  scan({ visit, from, limit = -1, reverse = false }: ScanRequest): Promise<void> {
    const range = { reverse, limit, ...boundOf(from && asBuffer(from), reverse) };
    const iterator = this.#db.iterator(range);
    return new Promise<void>((resolve, reject) => {
      const next = () => {
        iterator.next((error, key, value) => {
          if (error) return iterator.end(() => reject(error));
          if (key === undefined || value === undefined)
            return iterator.end((failure) => (failure ? reject(failure) : resolve()));
          visit(key, value);
          next();
        });
      };
      next();
    });
  }

  close(): Promise<void> {
    return promisify(this.#db.close.bind(this.#db))();
  }
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
