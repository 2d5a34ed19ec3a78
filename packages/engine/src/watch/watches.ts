import { describe, isBytes, type KayaError, readOptions, type SequenceNumber } from "@kaya/core";
import { EXPIRING, type Extent } from "@kaya/lsm";
import type { WalOperation, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "../apply.js";
import { type Entry, entryOf, entryWith } from "../entry.js";
import { type Bytes, invalid, toBytes } from "../input.js";
import { nameOfBytes } from "../memtable/bytes.js";
import { extentOf, isInExtent, type KeyBounds, toKeyBounds } from "../range.js";
import type { ReadSource } from "../read-source.js";
import { SharedMoment } from "../reading.js";
import type { RowKind } from "../row.js";
import { RowIterator, readFewBytes } from "../scan-iterators.js";
import { checkSignal } from "../signal.js";
import { KeyWatch } from "./key-watch.js";
import type { KeyChange } from "./pending-changes.js";
import { RangeWatch } from "./range-watch.js";
import type { Watch } from "./watch.js";

/** Whether a watch begins with the state, and what ends it. */
export interface WatchOptions {
  /** Ends the watch: a call that waits rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** True: begin with the entries that are there. False: begin with the first change. Default true. */
  readonly initial?: boolean;
}

/** What a watch needs of the engine. */
export interface Watched {
  /** Of the last write that readers see. */
  readonly sequence: SequenceNumber;
  /** The time that values expire by. */
  now(): number;
  /** Calls where no write is half applied: registering and reading there misses nothing. Rejects with KAYA_CLOSED. */
  whenSettled<T>(call: () => T): Promise<T>;
  entry(key: Uint8Array): Promise<Entry>;
  entries(extent: Extent): AsyncIterator<KeyChange, undefined>;
  addKey(watch: KeyWatch): void;
  addRange(watch: RangeWatch): void;
  forget(watch: object): void;
}

interface WatchedEngine {
  readonly applied: AppliedLog;
  readonly source: ReadSource;
  readonly wal: Pick<WalWriter<unknown>, "assertWorking" | "failure" | "onFailure">;
}

/** Beyond this a watch of a range forgets what it has not told, and begins anew. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Entries as changes. */
const CHANGES: RowKind<KeyChange> = {
  read: ({ key, value, sequence, kind, expiresAt }, copier) => ({
    type: "put",
    ...copier.entry(key, value),
    sequence,
    ...(kind === EXPIRING && { expiresAt }),
  }),
  bytes: ({ key }) => key.length,
};

/** The watches of an engine. They are told what is applied, in the turn in which readers see it. */
export class Watches implements Watched {
  readonly #engine: WatchedEngine;
  readonly #keys = new Map<string, Set<KeyWatch>>();
  readonly #ranges = new Set<RangeWatch>();
  readonly #all = new Set<Watch<unknown>>();
  /** Those with something staged. */
  readonly #touched = new Set<KeyWatch | RangeWatch>();
  #stopWaiting: (() => void) | undefined;

  constructor(engine: WatchedEngine) {
    this.#engine = engine;
  }

  get count(): number {
    return this.#all.size;
  }

  get sequence(): SequenceNumber {
    return this.#engine.applied.position.sequence;
  }

  now(): number {
    return this.#engine.applied.store.now();
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT; what the signal aborted with */
  open(
    what: Bytes | KeyBounds,
    given: WatchOptions | undefined,
    mostBytes = MOST_BYTES,
  ): KeyWatch | RangeWatch {
    const { signal, initial = true } = readOptions(given, ["signal", "initial"], "the options of watch");
    if (typeof initial !== "boolean")
      throw invalid(`initial must be true or false, not ${describe(initial)}`);
    checkSignal(signal);
    signal?.throwIfAborted();
    const options = { signal, initial, mostBytes };
    if (typeof what === "string" || isBytes(what))
      return new KeyWatch(this, new Uint8Array(toBytes(what, "key")), options);
    if (typeof what !== "object" || what === null)
      throw invalid(`watch takes a key or a range ({} for all keys), not ${describe(what)}`);
    const extent = extentOf(toKeyBounds(what));
    if (extent === undefined)
      throw invalid("no key can be in the range of the watch: its bounds exclude each other");
    return new RangeWatch(this, extent, options);
  }

  async whenSettled<T>(call: () => T): Promise<T> {
    const { applied, source } = this.#engine;
    for (let batch = applied.underWay; batch !== undefined; batch = applied.underWay)
      await batch.catch(() => undefined); // that the engine failed is told to all
    source.view();
    return call();
  }

  entry(key: Uint8Array): Promise<Entry> {
    return entryOf(this.#engine.source.view(), key);
  }

  entries({ start, end }: Extent): AsyncIterator<KeyChange, undefined> {
    const range = { gte: start, ...(end === undefined ? {} : { lt: end }) };
    const reading = new SharedMoment(this.#engine.source.hold()).reading(range);
    return new RowIterator(reading, readFewBytes(CHANGES));
  }

  addKey(watch: KeyWatch): void {
    const name = nameOfBytes(watch.key);
    const others = this.#keys.get(name);
    if (others === undefined) this.#keys.set(name, new Set([watch]));
    else others.add(watch);
    this.#add(watch);
  }

  addRange(watch: RangeWatch): void {
    this.#ranges.add(watch);
    this.#add(watch);
  }

  forget(watch: object): void {
    if (!this.#all.delete(watch as Watch<unknown>)) return;
    this.#touched.delete(watch as KeyWatch | RangeWatch);
    if (watch instanceof RangeWatch) this.#ranges.delete(watch);
    else if (watch instanceof KeyWatch) this.#forgetKey(watch);
    if (this.#all.size > 0) return;
    this.#engine.applied.watches = undefined;
    this.#stopWaiting?.();
  }

  /** An operation was applied; readers see it once `publish` is called. It throws nothing: a watch must not make a write fail. */
  note(operation: WalOperation, sequence: SequenceNumber): void {
    try {
      if (operation.type === "deleteRange") this.#noteRange(operation, sequence);
      else this.#noteKey(operation, sequence);
    } catch (error) {
      for (const watch of [...this.#all]) watch.end(error); // memory that cannot be had
    }
  }

  publish(): void {
    if (this.#touched.size === 0) return;
    for (const watch of this.#touched) watch.publish();
    this.#touched.clear();
  }

  /** Ends all of them with `reason`. */
  close(reason: KayaError): void {
    for (const watch of [...this.#all]) watch.end(reason);
  }

  #add(watch: Watch<unknown>): void {
    if (this.#all.size === 0) {
      this.#engine.applied.watches = this;
      this.#stopWaiting = this.#engine.wal.onFailure(() => this.#failed());
    }
    this.#all.add(watch);
    if (this.#engine.wal.failure !== undefined) watch.end(this.#failure(), false);
  }

  #failed(): void {
    for (const watch of this.#all) watch.end(this.#failure(), false);
  }

  #failure(): unknown {
    try {
      this.#engine.wal.assertWorking();
    } catch (error) {
      return error;
    }
    return undefined;
  }

  #noteKey(operation: KeyOperation, sequence: SequenceNumber): void {
    const { key } = operation;
    const own = this.#keys.size === 0 ? undefined : this.#keys.get(nameOfBytes(key));
    for (const watch of own ?? []) {
      watch.stage(entryFrom(operation, sequence));
      this.#touched.add(watch);
    }
    for (const watch of this.#ranges) {
      if (!watch.covers(key)) continue;
      watch.stage(changeFrom(operation, sequence, this));
      this.#touched.add(watch);
    }
  }

  #noteRange(range: Extract<WalOperation, { type: "deleteRange" }>, sequence: SequenceNumber): void {
    const deletion = { start: range.start, end: range.end, sequence };
    for (const watch of this.#ranges) {
      const part = watch.partOf(deletion);
      if (part === undefined) continue;
      watch.stage(part);
      this.#touched.add(watch);
    }
    for (const watches of this.#keys.values())
      for (const watch of watches) {
        if (!isInExtent(range, watch.key)) break; // they watch the same key
        watch.stage({ key: new Uint8Array(watch.key), value: undefined, sequence: undefined });
        this.#touched.add(watch);
      }
  }

  #forgetKey(watch: KeyWatch): void {
    const name = nameOfBytes(watch.key);
    const others = this.#keys.get(name);
    others?.delete(watch);
    if (others?.size === 0) this.#keys.delete(name);
  }
}

type KeyOperation = Exclude<WalOperation, { type: "deleteRange" }>;

// Bytes of a record are used again, or are the writer's.
function entryFrom(operation: KeyOperation, sequence: SequenceNumber): Entry {
  const key = new Uint8Array(operation.key);
  if (operation.type === "delete") return { key, value: undefined, sequence: undefined };
  return entryWith(key, { sequence, expiresAt: operation.expiresAt }, new Uint8Array(operation.value));
}

function changeFrom(
  operation: KeyOperation,
  sequence: SequenceNumber,
  watched: Pick<Watched, "now">,
): KeyChange {
  const key = new Uint8Array(operation.key);
  if (operation.type === "delete") return { type: "delete", key, sequence };
  const { expiresAt } = operation;
  const value = new Uint8Array(operation.value);
  if (expiresAt === undefined) return { type: "put", key, value, sequence };
  return expiresAt > watched.now()
    ? { type: "put", key, value, sequence, expiresAt }
    : { type: "delete", key, sequence };
}
