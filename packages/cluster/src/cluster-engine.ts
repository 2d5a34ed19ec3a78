import type { KayaError, Lsn } from "@kaya/core";
import type {
  AddConsumerOptions,
  AddedConsumer,
  BackupOptions,
  BackupResult,
  BatchOperation,
  BatchOptions,
  Bytes,
  Changes,
  ChangesOptions,
  Consumer,
  Engine,
  EngineState,
  EngineStats,
  Entry,
  FlushResult,
  KeyBounds,
  PutOptions,
  RangeOptions,
  RecoveryReport,
  RetryOptions,
  Transaction,
  UpdateFunction,
  UpdateOptions,
  UpdateResult,
  Watch,
  WatchChange,
  WatchOptions,
  WriteOptions,
  WriteResult,
} from "@kaya/engine";
import type { Disk } from "@kaya/io";
import type { QuarantineCleaned } from "@kaya/wal";
import type { NodeRole } from "./channels.js";
import { SYSTEM_CLOCK } from "./clock.js";
import { ClusterReads } from "./cluster-reads.js";
import { ClusterViews } from "./cluster-view.js";
import { keepAlive } from "./keep-alive.js";
import { CLUSTER_METRICS } from "./metrics/cluster-metrics.js";
import { tellSource } from "./metrics/tell-source.js";
import type { ClusterNode } from "./node.js";
import type { ClusterEvents } from "./node-events.js";
import { type OpenClusterOptions, openNode } from "./open-node.js";
import { type ClusterOptions, resolveClusterOptions } from "./options.js";
import { copyOf, copyOfOperations } from "./own-copy.js";
import type { ClusterStats } from "./stats.js";

/** Counts and sizes of a node: those of its engine, and those of its part in the cluster. */
export interface ClusterEngineStats extends EngineStats {
  /** The activity and the position of the node in the cluster. */
  readonly cluster: ClusterStats;
}

/** The nodes that `ClusterEngine.open` made. The constructor accepts no others. */
const opened = new WeakSet<ClusterNode>();

/**
 * One node of a cluster: an engine in a directory of its own. Its log is a prefix of a log that a majority of machines keeps. All nodes can
 * be read. One node writes. If the writer stops, another node takes over, and no acknowledged write is lost.
 *
 * A write resolves when a majority has it on stable storage and this node can read it. A write that rejects changed nothing, with two
 * exceptions. KAYA_IN_DOUBT: the whole write is in the log, or nothing of it. KAYA_FSYNC_FAILED, or another error with which this node
 * fails: the write may be in the log, and other nodes then show it. On a node that is not the writer, writes reject with KAYA_NOT_LEADER,
 * and `leader` is the address of the writer.
 *
 * It has the methods of `Engine`, except the synchronous writes. `durability` makes no difference: every write is as durable as the shared
 * log.
 */
export class ClusterEngine extends ClusterReads {
  readonly #node: ClusterNode;
  readonly #views: ClusterViews;
  /** The number of writes that wait until the node is the writer. */
  #waiting = 0;
  /** Resolves when the last waiting write has begun. */
  #lastTurn: Promise<void> = Promise.resolve();

  /**
   * A view of a part of the store in types of your own. It has the options of `Engine.view`. A view stays valid when this node loads a
   * base. But the snapshots, scans, watches, change feeds and index readers that were made from it end with KAYA_CLOSED then.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT for wrong options, and if `value` is "msgpack" and the package msgpackr is not installed
   */
  readonly view: Engine["view"];

  /** The metrics of the node, in addition to those of an engine: `metricsHandler` and `instrument` of @kaya/engine show both. */
  readonly metrics = CLUSTER_METRICS;

  private constructor(node: ClusterNode) {
    super(node);
    // JavaScript does not enforce `private` constructors.
    if (!opened.has(node)) throw new TypeError("open a node with ClusterEngine.open");
    this.#node = node;
    const write = <T>(run: (engine: Engine) => Promise<T>) => this.#write(run);
    this.#views = new ClusterViews({
      get engine() {
        return node.engine;
      },
      write,
    });
    node.onEngine = (engine) => this.#views.declareIn(engine);
    this.view = (options) => this.#views.make(options, (engine) => engine.view(options));
  }

  /**
   * Opens a data directory as a node of a cluster. The directory may be absent or empty. The first node that opens begins the log. A node
   * of role "auto" becomes the writer if there is none.
   *
   * It resolves when the node is the writer, or has all records that the log had when the call was made. If the log does not answer within
   * `commitTimeoutMs`, a node that has data opens nevertheless. It can only be read until the log answers.
   *
   * @param options the log, and the options of an engine except `readOnly`
   * @param disk used instead of the real directory `dataDir`
   * @param given the same as for `Engine.open`, for repeatable tests; and a clock
   * @throws KayaError KAYA_INVALID_ARGUMENT; KAYA_NO_MAJORITY if the log does not answer and the directory has no data; KAYA_NOT_FOUND if
   *   the role is "follower" and no node has begun the log; KAYA_CORRUPTION if the log and the directory do not belong together; and the
   *   errors of `Engine.open`
   */
  static async open(
    options: ClusterOptions,
    disk?: Disk,
    given: OpenClusterOptions = {},
  ): Promise<ClusterEngine> {
    return keepAlive(given.timers ?? SYSTEM_CLOCK, ClusterEngine.#open(options, disk, given));
  }

  static async #open(
    options: ClusterOptions,
    disk: Disk | undefined,
    given: OpenClusterOptions,
  ): Promise<ClusterEngine> {
    const node = await openNode(resolveClusterOptions(options), disk, given);
    opened.add(node);
    const engine = new ClusterEngine(node);
    try {
      await node.start();
    } catch (error) {
      await node.abandon();
      throw error;
    }
    tellSource(engine, "open");
    return engine;
  }

  /**
   * The role of this node. Only a `writer` accepts writes. A `claiming` node is becoming the writer; writes wait for that. A `failed` node
   * can only be read.
   */
  get role(): NodeRole {
    return this.#node.role;
  }

  /** The epoch of the newest head that this node has seen; 0 before it has seen one. The epoch grows by one each time a node becomes the writer. */
  get epoch(): number {
    return this.#node.epoch;
  }

  /** The address of the writer that this node knows; undefined if the writer gave none. On the writer it is the node's own address. */
  get leader(): string | undefined {
    return this.#node.leader;
  }

  /** The id of this node. */
  get nodeId(): string {
    return this.#node.nodeId;
  }

  /** LSN of the last record that can be read on this node. */
  get lsn(): Lsn {
    return this.#node.lsn;
  }

  /** The absolute path of the data directory; undefined on a disk without one. */
  get dataDir(): string | undefined {
    return this.#engine.dataDir;
  }

  /** The report of the recovery that ran when this directory was opened. */
  get lastRecovery(): RecoveryReport {
    return this.#engine.lastRecovery;
  }

  /** `"open"`; `"failed"` if this node can only be read until it is opened again; `"closed"`. */
  get state(): EngineState {
    const { role } = this.#node;
    if (role === "closed" || role === "failed") return role;
    return this.#engine.state;
  }

  /** The error that made this node fail; undefined while it works. */
  get failure(): KayaError | undefined {
    return this.#node.failure;
  }

  /** Current counts and sizes of memory, tables, log and feeds, and of the node in its cluster. */
  stats(): ClusterEngineStats {
    return { ...this.#engine.stats(), state: this.state, cluster: this.#node.stats };
  }

  /** Adds a listener for an event: the role changed, another node became the writer, or a call failed and is tried again. */
  on<K extends keyof ClusterEvents>(event: K, listener: (...args: ClusterEvents[K]) => void): this {
    this.#node.events.on(event, listener);
    return this;
  }

  /** Adds a listener for the next event of that name only. */
  once<K extends keyof ClusterEvents>(event: K, listener: (...args: ClusterEvents[K]) => void): this {
    const first = (...args: ClusterEvents[K]) => {
      this.off(event, first);
      listener(...args);
    };
    return this.on(event, first);
  }

  /** Removes a listener that `on` added. */
  off<K extends keyof ClusterEvents>(event: K, listener: (...args: ClusterEvents[K]) => void): this {
    this.#node.events.off(event, listener);
    return this;
  }

  /**
   * Makes this node the writer, also if it was opened with the role "follower". Resolves when it accepts writes. The previous writer
   * acknowledges nothing more.
   *
   * @throws KayaError KAYA_NO_MAJORITY if that took longer than `commitTimeoutMs`; KAYA_DISK_FULL, KAYA_IO if this node's disk takes no writes;
   *   KAYA_WRITER_FAILED if this node has failed; KAYA_CLOSED
   */
  promote(): Promise<void> {
    return keepAlive(this.#node.clock, this.#node.promote());
  }

  /**
   * Finishes the writes that are under way, stops being the writer, and lets another node take over. If no other node takes over within
   * `presenceMs`, this node does. Resolves when this node follows; at once if it is not the writer.
   */
  stepDown(): Promise<void> {
    return keepAlive(this.#node.clock, this.#node.stepDown());
  }

  /**
   * Stores a value under a key and replaces the previous value. With `ttlMs` or `expiresAt` the value expires.
   *
   * @param key at most `limits.maxKeyBytes` (4,096 by default); text is stored as UTF-8
   * @param value key and value together must fit into an entry of the shared log (1 MiB in etcd); text is stored as UTF-8
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_UNIQUE, KAYA_NOT_LEADER, KAYA_FENCED, KAYA_NO_MAJORITY, KAYA_IN_DOUBT,
   *   KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED (the node failed, and the write may be in the shared log), KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  put(key: Bytes, value: Bytes, options?: PutOptions): Promise<WriteResult> {
    if (!this.#mustWait) return this.#engine.put(key, value, options);
    const [ownKey, ownValue] = [copyOf(key), copyOf(value)];
    return this.#write((engine) => engine.put(ownKey, ownValue, options));
  }

  /**
   * Removes a key. If the key is absent, the deletion changes no data, but still uses a record and a sequence number.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_LEADER, KAYA_FENCED, KAYA_NO_MAJORITY, KAYA_IN_DOUBT, KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  delete(key: Bytes, options?: WriteOptions): Promise<WriteResult> {
    if (!this.#mustWait) return this.#engine.delete(key, options);
    const own = copyOf(key);
    return this.#write((engine) => engine.delete(own, options));
  }

  /**
   * Writes several operations in order, all or nothing: no reader of any node sees a part of them, also not after a crash. If a condition
   * does not hold, nothing is written. Conditions see all writes that are before this one in the shared log.
   *
   * @throws KayaError KAYA_CONFLICT with the `key`; KAYA_CORRUPTION (a block that a condition needs is damaged); and the errors of `put`
   */
  batch(operations: readonly BatchOperation[], options?: BatchOptions): Promise<WriteResult> {
    if (!this.#mustWait) return this.#engine.batch(operations, options);
    const own = copyOfOperations(operations);
    return this.#write((engine) => engine.batch(own, options));
  }

  /**
   * Replaces the value of a key by the value that a function computes from it. No other write of any node comes between the read and the
   * write.
   *
   * @throws KayaError KAYA_CONFLICT after `attempts`; KAYA_CORRUPTION; the errors of `put`; or the signal's reason
   */
  update(key: Bytes, fn: UpdateFunction, options?: UpdateOptions): Promise<UpdateResult> {
    const own = this.#mustWait ? copyOf(key) : key;
    return this.#write((engine) => engine.update(own, fn, options));
  }

  /**
   * Runs a function as a transaction on this node. Resolves to its result when its writes are in the shared log. Transactions are
   * serializable, in the order of the log.
   *
   * @throws KayaError KAYA_CONFLICT after `attempts`; KAYA_CORRUPTION; the errors of `put`; or the signal's reason
   */
  transact<T>(fn: (tx: Transaction) => T | Promise<T>, options?: RetryOptions): Promise<T> {
    return this.#write((engine) => engine.transact(fn, options));
  }

  /**
   * Deletes all keys of a range (default: all keys), including those of all earlier writes.
   *
   * @throws KayaError KAYA_CORRUPTION (a block that it needs is damaged); and the errors of `put`
   */
  clear(range?: RangeOptions, options?: WriteOptions): Promise<WriteResult> {
    return this.#write((engine) => engine.clear(range, options));
  }

  /**
   * Writes the memtable of this node into a table. The node does this by itself when a memtable is full.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  flush(): Promise<FlushResult> {
    return this.#engine.flush();
  }

  /**
   * Flushes this node, then compacts a range of it to the deepest level.
   *
   * @throws KayaError KAYA_CORRUPTION if a table is damaged, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED,
   *   KAYA_WRITER_FAILED, KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  compact(range?: RangeOptions): Promise<void> {
    return this.#engine.compact(range);
  }

  /**
   * Copies everything that can be read on this node into another directory. The copy can be opened as an ordinary store.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT if the directory holds something else (nothing was changed there); KAYA_LOCK_CONFLICT if
   *   another process writes there; KAYA_CORRUPTION with file and offset if a table here is damaged; KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED, KAYA_CLOSED; or the signal's reason
   */
  backup(targetDir: string | Disk, options?: BackupOptions): Promise<BackupResult> {
    return this.#engine.backup(targetDir, options);
  }

  /**
   * The changes in the order of the shared log, as this node receives them. A token is valid on every node. The feed ends with KAYA_CLOSED
   * if this node has to load a base: open another feed from the last token.
   *
   * @throws KayaError KAYA_LOG_TRUNCATED if the log of this node does not reach back that far; KAYA_NOT_FOUND if the consumer is not
   *   registered here; KAYA_INVALID_ARGUMENT, KAYA_CLOSED
   */
  changes(options?: ChangesOptions): Changes {
    return this.#engine.changes(options);
  }

  /**
   * Watches the entry of a key on this node: first the current entry (unless `initial` is false), then each new one.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_CLOSED; or the signal's reason if it has aborted already
   */
  watch(key: Bytes, options?: WatchOptions): Watch<Entry>;
  /**
   * Watches a range on this node: first a put for each current entry, then the newest change of each key, and deletions of ranges.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_CLOSED; or the signal's reason if it has aborted already
   */
  watch(range: KeyBounds, options?: WatchOptions): Watch<WatchChange>;
  watch(what: Bytes | KeyBounds, options?: WatchOptions): Watch<Entry> | Watch<WatchChange> {
    return this.#engine.watch(what as Bytes, options);
  }

  /**
   * A token for `changes` on any node. The feed then begins after all writes that can be read on this node now.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  changesToken(): Promise<string> {
    return this.#engine.changesToken();
  }

  /**
   * Registers a consumer by name on this node. Flushes of this node then keep the log after the change that the consumer acknowledged last.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_LOG_TRUNCATED (the log of this node does not reach back to `since`), KAYA_DISK_FULL,
   *   KAYA_IO, KAYA_FSYNC_FAILED, KAYA_CLOSED; or the errors of `copy`
   */
  addConsumer(name: string, options?: AddConsumerOptions): Promise<AddedConsumer> {
    return this.#engine.addConsumer(name, options);
  }

  /**
   * Removes a consumer of this node. Resolves to false if there was none of that name.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_CLOSED
   */
  removeConsumer(name: string): Promise<boolean> {
    return this.#engine.removeConsumer(name);
  }

  /**
   * The consumers of this node, in the order of their names, with the position of each.
   *
   * @throws KayaError KAYA_CLOSED
   */
  consumers(): readonly Consumer[] {
    return this.#engine.consumers();
  }

  /**
   * Removes the torn ends of this node's log that recoveries kept in `wal/quarantine/`, in the way of `Engine.cleanQuarantine`.
   *
   * @param options `maxBytes`: a whole number >= 0
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_IO, KAYA_CLOSED
   */
  cleanQuarantine(options: { readonly maxBytes: number }): Promise<QuarantineCleaned> {
    return this.#engine.cleanQuarantine(options);
  }

  /**
   * Resolves when all that can be read on this node is on this node's own stable storage. The shared log has it already.
   *
   * @throws KayaError KAYA_FSYNC_FAILED, KAYA_DISK_FULL, KAYA_IO, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  sync(): Promise<void> {
    return this.#engine.sync();
  }

  /**
   * Resolves when there is room for more writes. A caller that does not await each write can await this instead: that bounds the memory of
   * waiting writes.
   *
   * @throws KayaError KAYA_CLOSED
   */
  ready(): Promise<void> {
    return this.#engine.ready();
  }

  /**
   * Finishes the writes that are under way (for `commitTimeoutMs` at most), ends this node's presence, and releases the directory and the
   * shared log. A second call returns the same promise.
   *
   * @throws KayaError KAYA_WRITER_FAILED or KAYA_FSYNC_FAILED if records could not be made durable in this directory
   */
  close(): Promise<void> {
    return this.#node.close().finally(() => tellSource(this, "closed"));
  }

  /** Closes the node at the end of an `await using` block, as `close` does. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #engine(): Engine {
    return this.#node.engine;
  }

  /** A write has to wait while the node is becoming the writer, or while earlier writes still wait for that. */
  get #mustWait(): boolean {
    return this.#waiting > 0 || this.#node.role === "claiming";
  }

  async #write<T>(run: (engine: Engine) => Promise<T>): Promise<T> {
    return this.#mustWait ? this.#writeInTurn(run) : run(this.#engine);
  }

  /** Waiting writes begin in the order of their calls. */
  async #writeInTurn<T>(run: (engine: Engine) => Promise<T>): Promise<T> {
    const before = this.#lastTurn;
    let begun = (): void => undefined;
    this.#lastTurn = new Promise((resolve) => {
      begun = resolve;
    });
    this.#waiting++;
    try {
      await keepAlive(this.#node.clock, this.#node.decided());
      await before;
      return run(this.#engine);
    } finally {
      this.#waiting--;
      begun();
    }
  }
}
