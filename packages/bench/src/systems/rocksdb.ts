import { mkdir } from "node:fs/promises";
import { loadPeer, type System } from "../system.js";
import { AbstractLevelStore, BYTES, type Level } from "./abstract-level-store.js";

/** Its synchronous read has an underscore, but no other method does it. It gives `Buffer`s, and undefined for a missing key. */
interface RocksLevel extends Level {
  _getManySync(keys: readonly Uint8Array[], options: object): (Uint8Array | undefined)[];
}

interface Module {
  readonly RocksLevel: new (dir: string, options: object) => RocksLevel;
}

export const rocksdb: System = {
  name: "rocksdb",
  kind: "peer",
  packageName: "@nxtedition/rocksdb",
  onDisk: true,
  setup: {
    durable: "batches of one with sync: true (its put drops the option); writes block the event loop",
    relaxed: 'sync: false (its default); compaction: "level"',
  },
  async open(dir, durability, memory) {
    const { RocksLevel } = await loadPeer<Module>("@nxtedition/rocksdb");
    await mkdir(dir, { recursive: true });
    const level = new RocksLevel(dir, {
      ...BYTES,
      ...(memory && {
        cacheSize: memory.cacheBytes,
        // Without a kind of compaction it has 64 MiB write buffers, whatever its budget.
        compaction: "level",
        memtableMemoryBudget: memory.writeBufferBytes,
      }),
    });
    await level.open();
    return new RocksStore(level, { sync: durability === "durable" });
  },
};

const AS_BYTES = { valueEncoding: "buffer" };

/** `put` of 12.2.12 does not hand its options on, so `sync: true` has no effect there: --check-durable found it. */
class RocksStore extends AbstractLevelStore {
  readonly #level: RocksLevel;

  constructor(level: RocksLevel, writeOptions: object) {
    super(level, writeOptions);
    this.#level = level;
  }

  override getSync(key: Uint8Array): Uint8Array | undefined {
    return this.#level._getManySync([key], AS_BYTES)[0];
  }

  override put(key: Uint8Array, value: Uint8Array): Promise<void> {
    return this.batch([{ key, value }]);
  }

  /** Its abstract-level is of the time when a missing key was an error. */
  override async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await super.get(key);
    } catch (error) {
      if ((error as { code?: unknown }).code === "LEVEL_NOT_FOUND") return undefined;
      throw error;
    }
  }
}
