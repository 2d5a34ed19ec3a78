import { describe, KayaError } from "@kaya/core";
import { operationsOf, type WalPayload } from "@kaya/wal";
import { showKey } from "../conditions.js";
import { invalid } from "../input.js";
import { isSameBytes, nameOfBytes } from "../memtable/bytes.js";
import type { KeyRange } from "../memtable/key-range.js";
import { type HeadEngine, type HeadEntry, rejectOnceSettled } from "../modify.js";
import { extentOf } from "../range.js";
import type { Turns } from "../turns.js";
import type { UpdateFunction, UpdateResult } from "../update.js";
import type { WriteResult } from "../write.js";
import { buildIndex } from "./build.js";
import { CallOrder } from "./call-order.js";
import { DeclaredPrefix, isAlike } from "./declared-prefix.js";
import { definitionKey, type IndexDefinition } from "./definition.js";
import { Definitions, type UnreadableDefinition } from "./definitions.js";
import { covers, deletingEntries, extend, putting, touchesPrefix } from "./extension.js";
import { GrowingHead, MissingEntries } from "./growing-head.js";
import type { DeclaredIndex } from "./index-options.js";

/** The engine's method that gives its indexes. */
export const INDEXES: unique symbol = Symbol("indexes");

export interface IndexHost {
  readonly head: HeadEngine;
  readonly isReadOnly: boolean;
  /** Of a replica: other nodes write. */
  isFollowing(): boolean;
  readonly maxKeyBytes: number;
  readonly turns: Turns;
  /** Resolves when there is room for more writes. */
  ready(): Promise<void>;
}

/**
 * The indexes of a store: what it has, and what views of this program declare. All writes come through here once a view was made: those to rows of
 * an index get what they do to its entries, in the same batch.
 */
export class Indexes {
  readonly #host: IndexHost;
  readonly #definitions: Definitions;
  readonly #head: GrowingHead;
  readonly #order = new CallOrder();
  /** By the name of the prefix. */
  readonly #declared = new Map<string, DeclaredPrefix>();
  /** Those under way, by the keys of their definitions. */
  readonly #builds = new Map<string, Promise<void>>();
  /** Of `#prefixes`, and the generation that they are of. */
  #prefixCache: readonly Uint8Array[] = [];
  #prefixesOf = -1;
  #isIdle = false;

  constructor(host: IndexHost) {
    this.#host = host;
    this.#definitions = new Definitions(host.head, () => host.isFollowing());
    this.#head = new GrowingHead(host.head);
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  declare(prefix: Uint8Array, indexes: readonly DeclaredIndex[]): void {
    if (indexes.length === 0) return;
    const name = nameOfBytes(prefix);
    const declared = this.#declared.get(name) ?? new DeclaredPrefix(prefix);
    declared.declare(indexes);
    this.#declared.set(name, declared);
    this.#isIdle = false;
  }

  /** Another node may have written definitions. */
  changedElsewhere(): void {
    this.#definitions.forget();
    this.#isIdle = false;
  }

  /** Goes on with the builds of indexes that the program declares: this node, or another one, was broken off. */
  resume(): void {
    this.changedElsewhere();
    for (const declared of this.#declared.values())
      for (const index of declared.indexes.values()) this.#resume(declared, index);
  }

  #resume(declared: DeclaredPrefix, index: DeclaredIndex): void {
    try {
      const found = this.#definitions.of(declared.prefix).get(index.name);
      if (found?.state === "building" && isAlike(found, index)) void this.#build(declared, index);
    } catch {
      // The next read of the index, or write to its rows, is told what cannot be read.
    }
  }

  /** Neither the store nor the program has an index, as a write has found out: others need not ask for more. */
  get isIdle(): boolean {
    return this.#isIdle;
  }

  /** Whether a write is to rows of an index. @throws KayaError as `Definitions.of` */
  touches(payload: WalPayload): boolean {
    const prefixes = this.#prefixes();
    if (prefixes.length === 0) return false;
    for (const operation of operationsOf(payload))
      if (prefixes.some((prefix) => touchesPrefix(operation, prefix))) return true;
    return false;
  }

  /**
   * Tries a write to indexed rows until nothing has to be read from the disk first, and lets none that was called before it come behind it.
   * @param payload nobody changes its bytes
   * @param attempt comes to `append`
   */
  inOrder<T>(payload: WalPayload, attempt: () => Promise<T>): Promise<T> {
    const run = () =>
      this.#order.run((placed) =>
        this.retry(() => {
          const written = attempt();
          placed(); // or it never gets a place, or waits for conditions that only tables have
          return written;
        }),
      );
    if (this.#order.isFree) return run();
    this.#prefetch(payload);
    return this.retry(run); // from now on, so that what is read ahead stays until its turn
  }

  /** Begins what goes by the writes before it, once those that were called before it have their places. */
  behindCalls<T>(begin: () => Promise<T>): Promise<T> {
    if (this.#order.isFree) return begin();
    return this.#order.run((placed) => {
      const begun = begin();
      placed();
      return begun;
    });
  }

  /** See `GrowingHead.entries`. */
  entries(keys: readonly Uint8Array[]): readonly HeadEntry[] {
    return this.#head.entries(keys);
  }

  /** Tries until nothing has to be read from the disk first. */
  retry<T>(attempt: () => T | Promise<T>): Promise<T> {
    return this.#head.retry(attempt);
  }

  /** `retry` of an update, whose function is called again only where the value is another one. */
  retryUpdate(
    fn: UpdateFunction,
    update: (fn: UpdateFunction) => Promise<UpdateResult>,
  ): Promise<UpdateResult> {
    if (typeof fn !== "function") return update(fn); // is refused there
    let last:
      | { readonly value: Uint8Array | undefined; readonly given: ReturnType<UpdateFunction> }
      | undefined;
    const once: UpdateFunction = (value) => {
      const isSame = last !== undefined && isSameBytes(last.value, value);
      if (last === undefined || !isSame) {
        const kept = value && new Uint8Array(value);
        last = { value: kept, given: fn(value) };
      }
      return last.given;
    };
    return this.retry(() => update(once));
  }

  /** Whether a range has only a part of the rows of an index. @throws KayaError as `Definitions.of` */
  clearsInPart(range: KeyRange): boolean {
    const extent = extentOf(range);
    if (extent === undefined) return false;
    const operation = { type: "deleteRange" as const, ...extent };
    return this.#prefixes().some((prefix) => touchesPrefix(operation, prefix) && !covers(operation, prefix));
  }

  /** @throws KayaError KAYA_BUSY where a write that was called before waits for the disk */
  assertNothingWaits(): void {
    if (this.#order.isFree) return;
    throw new KayaError(
      "KAYA_BUSY",
      "nothing was written: a write to indexed rows that was called before waits for the disk. Await it, or `db.sync()`, and write again.",
    );
  }

  /**
   * Appends a write with what it does to indexes.
   * @param write appends a payload to the log
   * @throws MissingEntries where something must be read from the disk first; KayaError as `extend`
   */
  append(payload: WalPayload, write: (payload: WalPayload) => Promise<WriteResult>): Promise<WriteResult> {
    const { wal } = this.#host.head;
    if (wal.failure !== undefined) return write(payload); // rejects
    const used: HeadEntry[] = [];
    try {
      const extension = this.#extend(payload, used, false);
      if (extension === undefined) return write(payload);
      const before = wal.nextLsn;
      const written = write(extension.payload);
      if (wal.nextLsn > before) {
        this.#head.forget(keysIn(extension.payload));
        this.#note(extension.definitions);
      }
      return written;
    } catch (error) {
      if (error instanceof MissingEntries) throw error;
      return rejectOnceSettled(used, error);
    }
  }

  /** `append` with synchronous reads. Nothing is under way. @throws KayaError as `extend` */
  appendSync(payload: WalPayload, write: (payload: WalPayload) => WriteResult): WriteResult {
    const extension = this.#extend(payload, [], true);
    if (extension === undefined) return write(payload);
    const written = write(extension.payload);
    this.#note(extension.definitions);
    return written;
  }

  /**
   * Resolves once an index can be read; builds it where it is not. Rejects with KAYA_NOT_UNIQUE and as its functions where it cannot be
   * built, with KAYA_READ_ONLY where the engine only looks.
   */
  async ready(prefix: Uint8Array, name?: string): Promise<void> {
    const declared = this.#declared.get(nameOfBytes(prefix));
    for (const index of declared?.indexes.values() ?? []) {
      if (name !== undefined && index.name !== name) continue;
      const ending = this.#ending(prefix, index.name);
      if (ending !== undefined) await ending;
      if (this.definition(prefix, index.name) !== undefined) continue;
      const { isReadOnly, head } = this.#host;
      if (isReadOnly)
        throw new KayaError(
          "KAYA_READ_ONLY",
          `the index ${describe(index.name)} of ${showKey(prefix)} is not built, or in another way than it is declared, and this engine writes nothing: open it without \`readOnly\``,
        );
      head.assertWritable();
      await this.#build(declared as DeclaredPrefix, index); // it has indexes
    }
  }

  /** A build says "ready" with its last entries, which are not to be read before they are applied. Those who asked for it are told if it fails. */
  #ending(prefix: Uint8Array, name: string): Promise<void> | undefined {
    if (this.#builds.size === 0 || this.definition(prefix, name) === undefined) return undefined;
    return this.#builds.get(nameOfBytes(definitionKey(prefix, name)))?.catch(() => undefined);
  }

  /** The definition by which an index can be read; undefined where it is not ready. @throws KayaError as `Definitions.of` */
  definition(prefix: Uint8Array, name: string): IndexDefinition | undefined {
    const found = this.#definitions.of(prefix).get(name);
    const declared = this.#declared.get(nameOfBytes(prefix))?.indexes.get(name);
    const isGood = found?.state === "ready" && declared !== undefined && isAlike(found, declared);
    return isGood ? found : undefined;
  }

  /** Removes an index that no view of the program declares, or whose definition is damaged. False where there is none. */
  async drop(prefix: Uint8Array, name: string): Promise<boolean> {
    const { head } = this.#host;
    head.assertWritable();
    const unreadable = this.#definitions.unreadable(prefix, name);
    if (unreadable !== undefined) {
      const isDamaged = KayaError.is(unreadable.error) && unreadable.error.code === "KAYA_CORRUPTION";
      if (!isDamaged) throw unreadable.error;
      await this.#remove(unreadable, () => this.#definitions.removeUnreadable(unreadable));
      return true;
    }
    if (this.#declared.get(nameOfBytes(prefix))?.indexes.has(name) === true)
      throw invalid(
        `the index ${describe(name)} is declared by a view of this program: make the views without it, in a process that never declared it, to drop it`,
      );
    const found = this.#definitions.of(prefix).get(name);
    if (found === undefined) return false;
    await this.#remove({ key: definitionKey(prefix, name), id: found.id }, () =>
      this.#definitions.remove(found),
    );
    return true;
  }

  /** @param noted is called once it has its place in the log */
  async #remove({ key, id }: Pick<UnreadableDefinition, "key" | "id">, noted: () => void): Promise<void> {
    const { head } = this.#host;
    // A damaged one may say the id of another.
    const others = [...this.#definitions].filter((each) => each.id === id);
    const isOwn = id > 0 && others.every((each) => isSameBytes(definitionKey(each.prefix, each.name), key));
    const operations = [{ type: "delete" as const, key }, ...(isOwn ? [deletingEntries(id)] : [])];
    const before = head.wal.nextLsn;
    const written = head.append({ type: "batch", operations }, "strict");
    if (head.wal.nextLsn > before) noted();
    await written;
  }

  #build(declared: DeclaredPrefix, index: DeclaredIndex): Promise<void> {
    const name = nameOfBytes(definitionKey(declared.prefix, index.name));
    const running = this.#builds.get(name);
    if (running !== undefined) return running;
    const build = this.#runBuild(declared, index).finally(() => this.#builds.delete(name));
    build.catch(() => undefined); // readers of the index are told
    this.#builds.set(name, build);
    return build;
  }

  async #runBuild(declared: DeclaredPrefix, index: DeclaredIndex): Promise<void> {
    await this.#define(declared);
    const { head, ready, maxKeyBytes, turns } = this.#host;
    const host = {
      head,
      turns,
      maxKeyBytes,
      ready,
      retry: (attempt: () => Promise<unknown>) => this.retry(attempt),
      entries: (keys: readonly Uint8Array[]) => this.#head.entries(keys),
      note: (definition: IndexDefinition) => this.#definitions.set(definition),
      current: () => this.#definitions.of(declared.prefix).get(index.name),
    };
    await buildIndex(host, index);
  }

  /** Writes the definitions that the store does not have. */
  async #define({ prefix, indexes }: DeclaredPrefix): Promise<void> {
    const { head } = this.#host;
    const stored = this.#definitions.of(prefix);
    let id = this.#definitions.newId();
    const written: IndexDefinition[] = [];
    const operations = [];
    for (const { name, unique, codec, version, ...rest } of indexes.values()) {
      const found = stored.get(name);
      if (found !== undefined && isAlike(found, { unique, codec, version, ...rest })) continue;
      for (const each of [found?.id, id]) if (each !== undefined) operations.push(deletingEntries(each));
      written.push({ prefix, name, id: id++, unique, codec, version, state: "building" });
    }
    if (written.length === 0) return;
    operations.push(...written.map(putting));
    const before = head.wal.nextLsn;
    const done = head.append({ type: "batch", operations }, "relaxed");
    if (head.wal.nextLsn > before) for (const definition of written) this.#definitions.set(definition);
    await done;
  }

  #extend(payload: WalPayload, used: HeadEntry[], isSync: boolean) {
    const entries = (keys: readonly Uint8Array[]) => {
      const found = this.#head.entries(keys, isSync);
      used.push(...found);
      return found;
    };
    const { maxKeyBytes, head } = this.#host;
    const [definitions, declared, now] = [this.#definitions, this.#declared, head.applied.store.now()];
    return extend(payload, { definitions, prefixes: this.#prefixes(), declared, entries, maxKeyBytes, now });
  }

  /** What was defined anew is built. */
  #note(definitions: readonly IndexDefinition[]): void {
    for (const definition of definitions) this.#definitions.set(definition);
    for (const { prefix, name, state } of definitions) {
      const declared = this.#declared.get(nameOfBytes(prefix));
      const index = declared?.indexes.get(name);
      if (state === "building" && declared !== undefined && index !== undefined)
        void this.#build(declared, index);
    }
  }

  #prefetch(payload: WalPayload): void {
    this.#head.prefetch([...keysIn(payload)]);
  }

  /** All that have an index, in the store or in the program. */
  #prefixes(): readonly Uint8Array[] {
    const generation = this.#definitions.generation + this.#declared.size;
    if (generation === this.#prefixesOf) return this.#prefixCache;
    const prefixes = new Map<string, Uint8Array>();
    for (const prefix of this.#definitions.prefixes) prefixes.set(nameOfBytes(prefix), prefix);
    for (const [name, { prefix }] of this.#declared) prefixes.set(name, prefix);
    this.#prefixCache = [...prefixes.values()];
    this.#prefixesOf = generation;
    this.#isIdle = prefixes.size === 0; // until one is declared
    return this.#prefixCache;
  }
}

function* keysIn(payload: WalPayload): Iterable<Uint8Array> {
  for (const operation of operationsOf(payload)) if (operation.type !== "deleteRange") yield operation.key;
}
