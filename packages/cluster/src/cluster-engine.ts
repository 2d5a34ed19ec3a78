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
  /** What the node did in the cluster, and how far it is. */
  readonly cluster: ClusterStats;
}

/** The nodes that `ClusterEngine.open` made. The constructor takes no others. */
const opened = new WeakSet<ClusterNode>();

/**
 * One node of a cluster: an engine in a directory of its own, whose log is a prefix of a log that a majority of machines keeps. All nodes read. One
 * of them writes; if it goes, another takes over, and no acknowledged write is lost.
 *
 * A write resolves when a majority has it on stable storage and it can be read here. A write that rejects changed nothing, except with
 * KAYA_IN_DOUBT: then it is in the log whole, or not at all; and with KAYA_FSYNC_FAILED, or another error with which this node fails: then the log may
 * have it, and other nodes show it. Writes on a node that is not the writer reject with KAYA_NOT_LEADER, and `leader` is the address of the writer.
 *
 * The methods are those of `Engine`, but those that write before they return. `durability` makes no difference: every write is as durable as the
 * shared log.
 */
export class ClusterEngine extends ClusterReads {
  readonly #node: ClusterNode;
  readonly #views: ClusterViews;
  /** Writes that wait for the node to become the writer. */
  #waiting = 0;
  /** Resolves when the last of them has begun. */
  #lastTurn: Promise<void> = Promise.resolve();

  /**
   * A part of the store in types of your own, as `Engine.view`. A view goes on when this node loads a base. Snapshots, scans, watches, change feeds and
   * readers of an index that were made from it end with KAYA_CLOSED then.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT for wrong options, and if `value` is "msgpack" and the package msgpackr is not installed
   */
  readonly view: Engine["view"];

  /** Its metrics beside those of an engine: `metricsHandler` and `instrument` of @kaya/engine show both. */
  readonly metrics = CLUSTER_METRICS;

  private constructor(node: ClusterNode) {
    super(node);
    // JavaScript does not know `private` constructors.
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
   * Opens a data directory as a node of a cluster. An absent or empty directory becomes one. The first node of a log begins it. A node of role
   * "auto" becomes the writer if there is none.
   *
   * It resolves when the node is the writer, or has the records that the log had at the opening. If the log does not answer, a node that has data
   * opens after `commitTimeoutMs`, and only reads until the log answers.
   *
   * @param options the log, and those of an engine but `readOnly`
   * @param disk used instead of the real directory `dataDir`
   * @param given those of `Engine.open`, for repeatable tests, and a clock
   * @throws KayaError KAYA_INVALID_ARGUMENT; KAYA_NO_MAJORITY if the log does not answer and the directory has no data; KAYA_NOT_FOUND for a follower of a
   *   log that nobody has begun; KAYA_CORRUPTION if the log and the directory do not belong together; else as `Engine.open`
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

  /** The role of this node. Only a `writer` takes writes. A node that is `claiming` becomes the writer, and lets writes wait. One that has `failed` only reads. */
  get role(): NodeRole {
    return this.#node.role;
  }

  /** The epoch of the newest head that this node has seen: it grows by one each time a node becomes the writer. 0 before the first head. */
  get epoch(): number {
    return this.#node.epoch;
  }

  /** The address of the writer that this node knows; undefined if it gave none. On the writer its own address. */
  get leader(): string | undefined {
    return this.#node.leader;
  }

  /** The id of this node. */
  get nodeId(): string {
    return this.#node.nodeId;
  }

  /** The last record that can be read here. */
  get lsn(): Lsn {
    return this.#node.lsn;
  }

  /** The absolute path of the data directory; undefined on a disk that has none. */
  get dataDir(): string | undefined {
    return this.#engine.dataDir;
  }

  /** What recovery found when this directory was opened. */
  get lastRecovery(): RecoveryReport {
    return this.#engine.lastRecovery;
  }

  /** `"open"`; `"failed"` if this node only reads until it is opened again; `"closed"`. */
  get state(): EngineState {
    const { role } = this.#node;
    if (role === "closed" || role === "failed") return role;
    return this.#engine.state;
  }

  /** The error that made this node fail; undefined while it works. */
  get failure(): KayaError | undefined {
    return this.#node.failure;
  }

  /** Counts and sizes of memory, tables, log and feeds, and of the node in its cluster, at this moment. */
  stats(): ClusterEngineStats {
    return { ...this.#engine.stats(), state: this.state, cluster: this.#node.stats };
  }

  /** Calls a listener at each event of that name: the role changed, another node became the writer, or a call failed and is tried again. */
  on<K extends keyof ClusterEvents>(event: K, listener: (...args: ClusterEvents[K]) => void): this {
    this.#node.events.on(event, listener);
    return this;
  }

  /** Calls a listener at the next event of that name, and never again. */
  once<K extends keyof ClusterEvents>(event: K, listener: (...args: ClusterEvents[K]) => void): this {
    const first = (...args: ClusterEvents[K]) => {
      this.off(event, first);
      listener(...args);
    };
    return this.on(event, first);
  }

  /** Ends what `on` began. */
  off<K extends keyof ClusterEvents>(event: K, listener: (...args: ClusterEvents[K]) => void): this {
    this.#node.events.off(event, listener);
    return this;
  }

  /**
   * Makes this node the writer, also one that was opened as a follower. Resolves when it takes writes. The writer before it acknowledges nothing more.
   *
   * @throws KayaError KAYA_NO_MAJORITY if that took longer than `commitTimeoutMs`; KAYA_DISK_FULL, KAYA_IO if this node's disk takes no writes;
   *   KAYA_WRITER_FAILED if this node has failed; KAYA_CLOSED
   */
  promote(): Promise<void> {
    return keepAlive(this.#node.clock, this.#node.promote());
  }

  /**
   * Ends writing here, and lets another node take over; writes that are under way are finished first. If no other node does within `presenceMs`, this one
   * does. Resolves when this node follows; at once if it is not the writer.
   */
  stepDown(): Promise<void> {
    return keepAlive(this.#node.clock, this.#node.stepDown());
  }

  /**
   * Stores a value under a key and replaces the value that was there. With `ttlMs` or `expiresAt` the value expires.
   *
   * @param key at most `limits.maxKeyBytes` (4,096 by default); text is stored as UTF-8
   * @param value what fits an entry of the shared log with its key (1 MiB in etcd); text is stored as UTF-8
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_UNIQUE, KAYA_NOT_LEADER, KAYA_FENCED, KAYA_NO_MAJORITY, KAYA_IN_DOUBT, KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED (the node failed, and the write may be in the shared log), KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  put(key: Bytes, value: Bytes, options?: PutOptions): Promise<WriteResult> {
    if (!this.#mustWait) return this.#engine.put(key, value, options);
    const [ownKey, ownValue] = [copyOf(key), copyOf(value)];
    return this.#write((engine) => engine.put(ownKey, ownValue, options));
  }

  /**
   * Removes a key. If the key is absent, nothing changes, and the deletion still takes a record and a sequence.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_LEADER, KAYA_FENCED, KAYA_NO_MAJORITY, KAYA_IN_DOUBT, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED,
   *   KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  delete(key: Bytes, options?: WriteOptions): Promise<WriteResult> {
    if (!this.#mustWait) return this.#engine.delete(key, options);
    const own = copyOf(key);
    return this.#write((engine) => engine.delete(own, options));
  }

  /**
   * Writes several operations, all or nothing, in order: neither a reader of any node nor a crash sees a part of them. If a condition does not hold,
   * nothing is written. Conditions look at all writes before this one in the shared log.
   *
   * @throws KayaError KAYA_CONFLICT with the `key`; KAYA_CORRUPTION (a block that a condition needs is damaged); else as `put`
   */
  batch(operations: readonly BatchOperation[], options?: BatchOptions): Promise<WriteResult> {
    if (!this.#mustWait) return this.#engine.batch(operations, options);
    const own = copyOfOperations(operations);
    return this.#write((engine) => engine.batch(own, options));
  }

  /**
   * Gives a key the value that a function makes of its value. No other write comes between the two, on any node.
   *
   * @throws KayaError KAYA_CONFLICT after `attempts`; KAYA_CORRUPTION; else as `put`; or the signal's reason
   */
  update(key: Bytes, fn: UpdateFunction, options?: UpdateOptions): Promise<UpdateResult> {
    const own = this.#mustWait ? copyOf(key) : key;
    return this.#write((engine) => engine.update(own, fn, options));
  }

  /**
   * Runs a function as a transaction on this node, and resolves to its result once its writes are in the shared log. Transactions have the effect of one
   * after the other, in the order of the log (serializable).
   *
   * @throws KayaError KAYA_CONFLICT after `attempts`; KAYA_CORRUPTION; else as `put`; or the signal's reason
   */
  transact<T>(fn: (tx: Transaction) => T | Promise<T>, options?: RetryOptions): Promise<T> {
    return this.#write((engine) => engine.transact(fn, options));
  }

  /**
   * Deletes a range of keys, or all keys, as it is once all earlier writes are in.
   *
   * @throws KayaError KAYA_CORRUPTION (a block that it needs is damaged); else as `put`
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
   * Flushes, then compacts a range of this node to the deepest level.
   *
   * @throws KayaError KAYA_CORRUPTION if a table is damaged, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED,
   *   KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  compact(range?: RangeOptions): Promise<void> {
    return this.#engine.compact(range);
  }

  /**
   * Copies everything that can be read on this node into another directory. The copy opens as an ordinary store.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT if the directory holds something else (nothing was changed there); KAYA_LOCK_CONFLICT if another process
   *   writes there; KAYA_CORRUPTION with file and offset if a table here is damaged; KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_CLOSED; or the
   *   signal's reason
   */
  backup(targetDir: string | Disk, options?: BackupOptions): Promise<BackupResult> {
    return this.#engine.backup(targetDir, options);
  }

  /**
   * The changes in the order of the shared log, as this node gets them. A token works on every node. The feed ends with KAYA_CLOSED if this node
   * has to begin again with a base: go on from the last token.
   *
   * @throws KayaError KAYA_LOG_TRUNCATED if the log of this node does not reach back that far; KAYA_NOT_FOUND if the consumer is not registered here;
   *   KAYA_INVALID_ARGUMENT, KAYA_CLOSED
   */
  changes(options?: ChangesOptions): Changes {
    return this.#engine.changes(options);
  }

  /**
   * The newest entry of a key, as this node gets it: first the entry that the key has (unless `initial` is false), then each new one.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_CLOSED; or the signal's reason if it has aborted already
   */
  watch(key: Bytes, options?: WatchOptions): Watch<Entry>;
  /**
   * The changes of a range, as this node gets them: first a put for each entry that it has, then of each key the newest change, and deletions of
   * ranges.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_CLOSED; or the signal's reason if it has aborted already
   */
  watch(range: KeyBounds, options?: WatchOptions): Watch<WatchChange>;
  watch(what: Bytes | KeyBounds, options?: WatchOptions): Watch<Entry> | Watch<WatchChange> {
    return this.#engine.watch(what as Bytes, options);
  }

  /**
   * A token for `changes` of any node, behind all that can be read here.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  changesToken(): Promise<string> {
    return this.#engine.changesToken();
  }

  /**
   * Registers a consumer by name on this node: its flushes keep the log behind the change that the consumer acknowledged last.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_LOG_TRUNCATED (the log of this node does not reach back to `since`), KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED, KAYA_CLOSED; or what `copy` throws
   */
  addConsumer(name: string, options?: AddConsumerOptions): Promise<AddedConsumer> {
    return this.#engine.addConsumer(name, options);
  }

  /**
   * Forgets a consumer of this node. Resolves to false if there was none of that name.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_CLOSED
   */
  removeConsumer(name: string): Promise<boolean> {
    return this.#engine.removeConsumer(name);
  }

  /**
   * The consumers of this node, in order of their names, and how far each has got.
   *
   * @throws KayaError KAYA_CLOSED
   */
  consumers(): readonly Consumer[] {
    return this.#engine.consumers();
  }

  /**
   * Removes torn ends of this node's log that recoveries kept in `wal/quarantine/`, as `Engine.cleanQuarantine`.
   *
   * @param options `maxBytes`: a whole number >= 0
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_IO, KAYA_CLOSED
   */
  cleanQuarantine(options: { readonly maxBytes: number }): Promise<QuarantineCleaned> {
    return this.#engine.cleanQuarantine(options);
  }

  /**
   * Resolves when all that can be read here is on this node's own stable storage. The shared log has it already.
   *
   * @throws KayaError KAYA_FSYNC_FAILED, KAYA_DISK_FULL, KAYA_IO, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  sync(): Promise<void> {
    return this.#engine.sync();
  }

  /**
   * Resolves when there is room for more writes. For callers that write without awaiting each write: it bounds the memory that waiting writes take.
   *
   * @throws KayaError KAYA_CLOSED
   */
  ready(): Promise<void> {
    return this.#engine.ready();
  }

  /**
   * Finishes the writes that are under way, for `commitTimeoutMs` at most, ends this node's presence, and releases the directory and the shared log. A
   * second call returns the same promise.
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

  /** A write may not begin at once: the node is becoming the writer, or earlier writes still wait for that. */
  get #mustWait(): boolean {
    return this.#waiting > 0 || this.#node.role === "claiming";
  }

  async #write<T>(run: (engine: Engine) => Promise<T>): Promise<T> {
    return this.#mustWait ? this.#writeInTurn(run) : run(this.#engine);
  }

  /** Writes that wait begin in the order of their calls. */
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
