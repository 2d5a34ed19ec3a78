import type { EngineConfig } from "@kaya/core";
import { type Engine, isReservedKey } from "@kaya/engine";
import { asText, invalid, toHex } from "../bytes.js";
import type { ImportEntry } from "./import-source.js";

/** What the record of a put has beside its key and value, and more. */
const RECORD_BYTES = 128;

/** An index of the store, as its definition's key says. */
interface DefinedIndex {
  readonly prefix: Uint8Array;
  readonly name: string;
}

// The key of an index's definition: this, the prefix of its rows, 00, its name (INDEXES.md of @kaya/engine).
const DEFINITIONS = Buffer.from("\xffkaya\0d", "latin1");

/** Says why an entry cannot be written, before anything of it is: the message goes on from "line 7 of data.jsonl". */
export class EntryCheck {
  readonly #maxKeyBytes: number;
  readonly #maxValueBytes: number;
  readonly #maxRecordBytes: number;
  readonly #indexes: readonly DefinedIndex[];

  constructor({ limits, wal }: Pick<EngineConfig, "limits" | "wal">, indexes: readonly DefinedIndex[]) {
    this.#maxKeyBytes = limits.maxKeyBytes;
    this.#maxValueBytes = limits.maxValueBytes;
    this.#maxRecordBytes = wal.maxRecordBytes - RECORD_BYTES;
    this.#indexes = indexes;
  }

  /** Undefined where it can be written. */
  problemOf({ key, value }: ImportEntry): string | undefined {
    if (key.length > this.#maxKeyBytes)
      return `has a key of ${key.length} bytes, and a key has at most ${this.#maxKeyBytes}`;
    if (value.length > this.#maxValueBytes)
      return `has a value of ${value.length} bytes, and a value has at most ${this.#maxValueBytes}`;
    if (key.length + value.length > this.#maxRecordBytes)
      return `has ${key.length + value.length} bytes, which no record holds: raise maxRecordBytes`;
    if (isReservedKey(key))
      return `has the key 0x${toHex(key)}, which is one of Kaya's own: indexes are built by the program that declares them`;
    const index = this.#indexes.find(({ prefix }) => startsWith(key, prefix));
    if (index === undefined) return undefined;
    return (
      `belongs to the index ${JSON.stringify(index.name)}, which an import does not update: import into a directory without indexes, or give ` +
      "--past-indexes and raise the `version` of the index in the program, which then builds it again"
    );
  }
}

/** The indexes of a store. */
export async function definedIndexes(engine: Engine): Promise<readonly DefinedIndex[]> {
  const found: DefinedIndex[] = [];
  for await (const key of engine.keys({ prefix: DEFINITIONS })) {
    const zero = key.lastIndexOf(0);
    if (zero < DEFINITIONS.length)
      throw invalid(`the key 0x${toHex(key)} defines no index: see \`kayactl verify\``);
    const name = key.subarray(zero + 1);
    found.push({ prefix: key.subarray(DEFINITIONS.length, zero), name: asText(name) ?? toHex(name) });
  }
  return found;
}

function startsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  return key.length >= prefix.length && Buffer.compare(key.subarray(0, prefix.length), prefix) === 0;
}
