import { describe, KayaError, type Lsn, readOptions } from "@kaya/core";
import type {
  Bytes,
  Engine,
  Entry,
  KeyBounds,
  KeyValue,
  Page,
  PageOptions,
  RangeOptions,
  Rows,
  Scan,
  Snapshot,
  SyncScan,
} from "@kaya/engine";
import type { ClusterNode } from "./node.js";

/** The consistency of a read. */
export interface ReadOptions {
  /**
   * `"local"`: the current data of this node, at once. Another node may have newer data. Local reads of an open node never go back.
   * `"linearizable"`: all writes that any node acknowledged before the call. The read asks the shared log once. Default `"local"`.
   */
  readonly consistency?: "local" | "linearizable";
}

/** The methods that read from a node. With `consistency: "linearizable"` they see all writes that any node acknowledged before the call. */
export abstract class ClusterReads {
  readonly #node: ClusterNode;

  /** @internal */
  protected constructor(node: ClusterNode) {
    this.#node = node;
  }

  /**
   * Resolves to an LSN when this node can read all writes that any node acknowledged before this call. The LSN is that of the last record.
   * Reads, scans and snapshots that begin after it are linearizable. Concurrent calls share a read of the log's head.
   *
   * @throws KayaError KAYA_NO_MAJORITY if it takes longer than `commitTimeoutMs`; KAYA_WRITER_FAILED if this node has failed;
   *   KAYA_CORRUPTION if the shared log lost records; KAYA_CLOSED
   */
  catchUp(): Promise<Lsn> {
    return this.#node.catchUp();
  }

  /**
   * The value of a key, as a copy; undefined if the key is absent or has expired.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT; with "linearizable"
   *   also the errors of `catchUp`
   */
  async get(key: Bytes, options?: ReadOptions): Promise<Uint8Array | undefined> {
    if (isLinearizable(options)) await this.#node.catchUp();
    return this.#engine.get(key);
  }

  /**
   * The value of a key of this node, as a copy; undefined if the key is absent or has expired. If it needs a block that is not in memory,
   * it reads it synchronously.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  getSync(key: Bytes): Uint8Array | undefined {
    return this.#engine.getSync(key);
  }

  /**
   * The value of a key, the sequence number of the write that made it, and its expiry. It can be a condition of a later batch on any node.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT; with "linearizable"
   *   also the errors of `catchUp`
   */
  async getEntry(key: Bytes, options?: ReadOptions): Promise<Entry> {
    if (isLinearizable(options)) await this.#node.catchUp();
    return this.#engine.getEntry(key);
  }

  /**
   * The value of a key of this node, the sequence number of the write that made it, and its expiry, without a promise.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  getEntrySync(key: Bytes): Entry {
    return this.#engine.getEntrySync(key);
  }

  /**
   * Resolves to true if the key has a value that has not expired.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT; with "linearizable"
   *   also the errors of `catchUp`
   */
  async has(key: Bytes, options?: ReadOptions): Promise<boolean> {
    if (isLinearizable(options)) await this.#node.catchUp();
    return this.#engine.has(key);
  }

  /**
   * The values of several keys at one moment, in the order of the keys; undefined for each absent key. Do not change the bytes of the keys
   * before it resolves.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT; with "linearizable"
   *   also the errors of `catchUp`
   */
  async getMany(keys: readonly Bytes[], options?: ReadOptions): Promise<(Uint8Array | undefined)[]> {
    if (isLinearizable(options)) await this.#node.catchUp();
    return this.#engine.getMany(keys);
  }

  /**
   * The entries of a range in key order, as this node has them at this call. Later writes do not change the scan. If the data must not be
   * old, await `catchUp` first.
   *
   * @param range default: all keys
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  scan(range?: RangeOptions): Scan {
    return this.#engine.scan(range);
  }

  /**
   * The entries of a range in key order, for a loop without `await`. The loop blocks the event loop.
   *
   * @param range default: all keys
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  scanSync(range?: RangeOptions): SyncScan {
    return this.#engine.scanSync(range);
  }

  /**
   * The keys of a range in key order, as this node has them at this call.
   *
   * @param range default: all keys
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  keys(range?: RangeOptions): Rows<Uint8Array> {
    return this.#engine.keys(range);
  }

  /**
   * The values of a range, in the order of their keys, as this node has them at this call.
   *
   * @param range default: all keys
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  values(range?: RangeOptions): Rows<Uint8Array> {
    return this.#engine.values(range);
  }

  /**
   * The entries of a range in key order, each as the pair `[key, value]`, as this node has them at this call.
   *
   * @param range default: all keys
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  entries(range?: RangeOptions): Rows<[key: Uint8Array, value: Uint8Array]> {
    return this.#engine.entries(range);
  }

  /**
   * The entry with the smallest key within the bounds; undefined if there is none.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT; with "linearizable"
   *   also the errors of `catchUp`
   */
  async first(bounds?: KeyBounds, options?: ReadOptions): Promise<KeyValue | undefined> {
    if (isLinearizable(options)) await this.#node.catchUp();
    return this.#engine.first(bounds);
  }

  /**
   * The entry with the greatest key within the bounds; undefined if there is none.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT; with "linearizable"
   *   also the errors of `catchUp`
   */
  async last(bounds?: KeyBounds, options?: ReadOptions): Promise<KeyValue | undefined> {
    if (isLinearizable(options)) await this.#node.catchUp();
    return this.#engine.last(bounds);
  }

  /**
   * The number of entries in a range. The count is exact. It reads all keys, so its time grows with the range.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT; with "linearizable"
   *   also the errors of `catchUp`
   */
  async count(range?: RangeOptions, options?: ReadOptions): Promise<number> {
    if (isLinearizable(options)) await this.#node.catchUp();
    return this.#engine.count(range);
  }

  /**
   * The next `size` entries of a range, and a `cursor` for the entries after them. A cursor is valid on every node.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, also for the cursor of another range; KAYA_CORRUPTION if a block that it needs is damaged,
   *   KAYA_IO, KAYA_CLOSED; with "linearizable" also the errors of `catchUp`
   */
  async page(
    range: Omit<RangeOptions, "limit"> | undefined,
    options: PageOptions,
    read?: ReadOptions,
  ): Promise<Page> {
    if (isLinearizable(read)) await this.#node.catchUp();
    return this.#engine.page(range, options);
  }

  /**
   * A fixed view of this node's current data. You can read from it as long as you want. Close it: until then it keeps a memtable in memory
   * and files on the disk. It ends with KAYA_CLOSED if this node has to load a base.
   *
   * @throws KayaError KAYA_CLOSED
   */
  snapshot(): Snapshot {
    return this.#engine.snapshot();
  }

  /**
   * An estimate of the bytes that a range takes in the tables of this node.
   *
   * @throws KayaError KAYA_CORRUPTION if an index block is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  approximateSize(range?: RangeOptions): Promise<number> {
    return this.#engine.approximateSize(range);
  }

  get #engine(): Engine {
    return this.#node.engine;
  }
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
function isLinearizable(given: ReadOptions | undefined): boolean {
  if (given === undefined) return false;
  const { consistency } = readOptions(given, ["consistency"], "the options of a read");
  if (consistency === undefined || consistency === "local") return false;
  if (consistency === "linearizable") return true;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `consistency must be "local" or "linearizable", not ${describe(consistency)}`,
  );
}
