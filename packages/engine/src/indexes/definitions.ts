import { nameOfBytes } from "../memtable/bytes.js";
import type { HeadEngine } from "../modify.js";
import { RangeReader } from "../store/range-reader.js";
import { QueueView } from "../transaction/queue-view.js";
import { decodeDefinition, definitionsPrefix, type IndexDefinition, idOf, nameInKey } from "./definition.js";
import { rangeOfPrefix } from "./reserved.js";

/** A definition that cannot be read. */
export interface UnreadableDefinition {
  readonly key: Uint8Array;
  readonly prefix: Uint8Array;
  readonly name: string;
  /** 0 where it says none. */
  readonly id: number;
  readonly error: unknown;
}

type ByName = ReadonlyMap<string, IndexDefinition>;

/**
 * The definitions of a store, as of the head of the log's queue. They are read once; what is written of them is noted here, and
 * where that was taken back they are read again.
 */
export class Definitions {
  readonly #engine: Pick<HeadEngine, "applied" | "wal">;
  readonly #isFollowing: () => boolean;
  #byPrefix: Map<string, Map<string, IndexDefinition>> | undefined;
  /** By the names of their keys. */
  readonly #unreadable = new Map<string, UnreadableDefinition>();
  #takeBacks = -1;
  /** Another one after each refresh of an engine that only looks. */
  #wal: unknown;
  #generation = 0;

  /** @param isFollowing what is queued comes from another node: it counts once it is applied */
  constructor(engine: Pick<HeadEngine, "applied" | "wal">, isFollowing: () => boolean) {
    this.#engine = engine;
    this.#isFollowing = isFollowing;
  }

  /** They may be others: they are read again. */
  forget(): void {
    this.#byPrefix = undefined;
  }

  /** Another number whenever something changed. @throws KayaError as `of` */
  get generation(): number {
    this.#loaded();
    return this.#generation;
  }

  /** All that can be read. @throws KayaError KAYA_IO, and KAYA_CORRUPTION of a table */
  *[Symbol.iterator](): IterableIterator<IndexDefinition> {
    for (const byName of this.#loaded().values()) yield* byName.values();
  }

  /** Those of the rows that begin with a prefix. @throws KayaError KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION where one cannot be read; KAYA_IO */
  of(prefix: Uint8Array): ByName {
    const name = nameOfBytes(prefix);
    const found = this.#loaded().get(name);
    for (const { prefix: other, error } of this.#unreadable.values())
      if (nameOfBytes(other) === name) throw error;
    return found ?? new Map();
  }

  /** One that cannot be read. @throws KayaError KAYA_IO, and KAYA_CORRUPTION of a table */
  unreadable(prefix: Uint8Array, name: string): UnreadableDefinition | undefined {
    this.#loaded();
    const of = nameOfBytes(prefix);
    return [...this.#unreadable.values()].find(
      (each) => each.name === name && nameOfBytes(each.prefix) === of,
    );
  }

  /** The prefixes of all, also of those that cannot be read. */
  get prefixes(): readonly Uint8Array[] {
    const prefixes = new Map<string, Uint8Array>();
    for (const { prefix } of this) prefixes.set(nameOfBytes(prefix), prefix);
    for (const { prefix } of this.#unreadable.values()) prefixes.set(nameOfBytes(prefix), prefix);
    return [...prefixes.values()];
  }

  /** It has its place in the log. */
  set(definition: IndexDefinition): void {
    const all = this.#loaded();
    const name = nameOfBytes(definition.prefix);
    const byName = all.get(name) ?? new Map<string, IndexDefinition>();
    all.set(name, byName.set(definition.name, definition));
    this.#generation++;
  }

  /** Its removal has its place in the log. */
  remove({ prefix, name }: IndexDefinition): void {
    this.#loaded().get(nameOfBytes(prefix))?.delete(name);
    this.#generation++;
  }

  /** `remove`, of one that cannot be read. */
  removeUnreadable({ key }: UnreadableDefinition): void {
    this.#unreadable.delete(nameOfBytes(key));
    this.#generation++;
  }

  /** An id that no definition has. */
  newId(): number {
    let last = 0;
    for (const { id } of [...this, ...this.#unreadable.values()]) last = Math.max(last, id);
    return last + 1;
  }

  #loaded(): Map<string, Map<string, IndexDefinition>> {
    const { wal } = this.#engine;
    const { takeBacks } = wal;
    if (this.#byPrefix !== undefined && this.#takeBacks === takeBacks && this.#wal === wal)
      return this.#byPrefix;
    const byPrefix = this.#read();
    this.#byPrefix = byPrefix;
    this.#takeBacks = takeBacks;
    this.#wal = wal;
    this.#generation++;
    return byPrefix;
  }

  #read(): Map<string, Map<string, IndexDefinition>> {
    const byPrefix = new Map<string, Map<string, IndexDefinition>>();
    this.#unreadable.clear();
    const { applied, wal } = this.#engine;
    const snapshot = applied.snapshot();
    // What is queued counts too: before the first view, a range with all of them may have been cleared.
    const queue = new QueueView(applied, wal);
    const ahead = queue.isEmpty || this.#isFollowing() ? undefined : queue.moment().snapshot();
    const above = ahead === undefined ? [] : [ahead.run()];
    const range = rangeOfPrefix(definitionsPrefix());
    const reader = new RangeReader(snapshot.cursor(range, { sync: true, above }), range);
    try {
      for (let entry = reader.nextSync(); entry !== undefined; entry = reader.nextSync()) {
        const [key, value] = [new Uint8Array(entry.key), new Uint8Array(entry.value)];
        const definition = this.#decode(key, value);
        if (definition === undefined) continue;
        const name = nameOfBytes(definition.prefix);
        const byName = byPrefix.get(name) ?? new Map<string, IndexDefinition>();
        byPrefix.set(name, byName.set(definition.name, definition));
      }
    } finally {
      reader.close();
      ahead?.release();
      snapshot.release();
    }
    return byPrefix;
  }

  /** One that cannot be read stops the writes to its rows alone. */
  #decode(key: Uint8Array, value: Uint8Array): IndexDefinition | undefined {
    try {
      return decodeDefinition(key, value);
    } catch (error) {
      const of = nameInKey(key);
      if (of !== undefined) this.#unreadable.set(nameOfBytes(key), { key, ...of, id: idOf(value), error });
      return undefined;
    }
  }
}
