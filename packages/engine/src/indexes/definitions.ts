import type { HeadEngine } from "../modify.js";
import { RangeReader } from "../store/range-reader.js";
import { decodeDefinition, definitionsPrefix, type IndexDefinition } from "./definition.js";
import { nameOfBytes, rangeOfPrefix } from "./reserved.js";

type ByName = ReadonlyMap<string, IndexDefinition>;

/**
 * The definitions of a store, as of the head of the log's queue. They are read once; what is written of them is noted here, and
 * where that was taken back they are read again.
 */
export class Definitions {
  readonly #engine: Pick<HeadEngine, "applied" | "wal">;
  #byPrefix: Map<string, Map<string, IndexDefinition>> | undefined;
  #takeBacks = -1;
  /** Another one after each refresh of an engine that only looks. */
  #wal: unknown;
  #generation = 0;

  constructor(engine: Pick<HeadEngine, "applied" | "wal">) {
    this.#engine = engine;
  }

  /** Another number whenever something changed. @throws KayaError as `of` */
  get generation(): number {
    this.#loaded();
    return this.#generation;
  }

  /** All of them. @throws KayaError as `of` */
  *[Symbol.iterator](): IterableIterator<IndexDefinition> {
    for (const byName of this.#loaded().values()) yield* byName.values();
  }

  /** Those of the rows that begin with a prefix. @throws KayaError KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION, KAYA_IO */
  of(prefix: Uint8Array): ByName {
    return this.#loaded().get(nameOfBytes(prefix)) ?? new Map();
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

  /** An id that no definition has. */
  newId(): number {
    let last = 0;
    for (const { id } of this) last = Math.max(last, id);
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
    const snapshot = this.#engine.applied.snapshot();
    const range = rangeOfPrefix(definitionsPrefix());
    const reader = new RangeReader(snapshot.cursor(range, { sync: true }), range);
    try {
      for (let entry = reader.nextSync(); entry !== undefined; entry = reader.nextSync()) {
        const definition = decodeDefinition(new Uint8Array(entry.key), new Uint8Array(entry.value));
        const name = nameOfBytes(definition.prefix);
        const byName = byPrefix.get(name) ?? new Map<string, IndexDefinition>();
        byPrefix.set(name, byName.set(definition.name, definition));
      }
    } finally {
      reader.close();
      snapshot.release();
    }
    return byPrefix;
  }
}
