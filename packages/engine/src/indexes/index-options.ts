import { checkCallback, describe, KayaError, readInput, readOptions } from "@kaya/core";
import { invalid } from "../input.js";
import { keyCodec } from "../view/choose-codec.js";
import { reason, ViewKeys } from "../view/view-keys.js";
import type { KeyChoice, KeyOf, PrefixOf } from "../view/view-types.js";
import type { ViewValues } from "../view/view-values.js";
import { MAX_INDEX_VERSION } from "./definition.js";

/**
 * An index of a view: it finds rows by keys that a function makes of them. Its entries are written in the same
 * batch as the row. Give `of` for one key for each row, or `each` for several.
 */
export interface IndexOptions<K = never, V = never> {
  /**
   * Makes the index key of a row; undefined leaves the row out of the index. It is called with what the view
   * reads back, for each write and by builds, and must give the same result for the same row. If you change it,
   * change `version` too.
   */
  readonly of?: (value: V, key: K) => unknown;
  /**
   * Makes the index keys of a row: none, one or many. It is called with what the view reads back, for each
   * write and by builds, and must give the same result for the same row. If you change it, change `version`
   * too.
   */
  readonly each?: (value: V, key: K) => readonly unknown[];
  /** No two rows have the same index key: a write that would make it so is refused with KAYA_NOT_UNIQUE. Default false. */
  readonly unique?: boolean;
  /**
   * The codec of the index keys: "utf8" (the default), "tuple", "bytes", or one of your own that keeps the
   * order.
   */
  readonly key?: KeyChoice;
  /** A whole number >= 0. Default 1. If the store has the index with another version, it is built again. */
  readonly version?: number;
}

/** The type of the keys of an index with these options. */
export type IndexKeyOf<I> = I extends { readonly key: infer C extends KeyChoice } ? KeyOf<C> : string;

/** The type that `prefix` takes in the ranges of an index with these options. */
export type IndexPrefixOf<I> = I extends { readonly key: infer C extends KeyChoice } ? PrefixOf<C> : string;

/** Checks that the functions of indexes return what the codecs of the indexes take. For the compiler only. */
export type CheckedIndexes<I, K, V> = {
  readonly [N in keyof I]: {
    readonly of?: (value: V, key: K) => IndexKeyOf<I[N]> | undefined;
    readonly each?: (value: V, key: K) => readonly IndexKeyOf<I[N]>[];
  };
};

const KNOWN = ["of", "each", "unique", "key", "version"];
const NO_BYTES = new Uint8Array(0);

/** An index as a view declares it. */
export interface DeclaredIndex {
  readonly name: string;
  readonly unique: boolean;
  /** The name of the codec. */
  readonly codec: string;
  readonly version: number;
  readonly keys: ViewKeys<unknown, unknown>;
  /**
   * The index keys of a row, each once.
   * @param rowKey whole
   * @throws KayaError KAYA_INVALID_ARGUMENT where the function or the codec throws; KAYA_DECODE_FAILED
   */
  keysOf(rowKey: Uint8Array, value: Uint8Array): readonly Uint8Array[];
}

/** The row's side of a view: what its functions are called with. */
export interface Rows {
  readonly keys: Pick<ViewKeys<unknown, unknown>, "decode" | "view">;
  readonly values: Pick<ViewValues<unknown, unknown>, "decode">;
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function readIndexes(given: unknown, rows: Rows): readonly DeclaredIndex[] {
  if (given === undefined) return [];
  return readInput("the indexes of a view", () => {
    if (typeof given !== "object" || given === null || Array.isArray(given))
      throw invalid(
        `the indexes of a view must be an object with the options of each index under its name, not ${describe(given)}`,
      );
    const declared = Object.entries(given).map(([name, options]) => readIndex(name, options, rows));
    return declared.sort((a, b) => (a.name < b.name ? -1 : 1));
  });
}

function readIndex(name: string, given: IndexOptions, rows: Rows): DeclaredIndex {
  const what = `the index ${describe(name)}`;
  if (name === "" || name.includes("\0") || !(name as string & { isWellFormed(): boolean }).isWellFormed())
    throw invalid(`the name of an index must be text without a NUL character, not ${describe(name)}`);
  if (given === undefined) throw invalid(`${what} has no options: give { of: (value) => … }`);
  const options = readOptions(given, KNOWN, `the options of ${what}`);
  const { of, each, unique = false, key = "utf8", version = 1 } = options;
  checkCallback(of, `of of ${what}`);
  checkCallback(each, `each of ${what}`);
  if ((of === undefined) === (each === undefined))
    throw invalid(
      `${what} needs one of two functions: \`of\`, which returns the key of a row, or \`each\`, which returns an array of keys`,
    );
  if (typeof unique !== "boolean")
    throw invalid(`unique of ${what} must be true or false, not ${describe(unique)}`);
  if (!Number.isSafeInteger(version) || version < 0)
    throw invalid(
      `the version of ${what} must be a whole number from 0 to ${MAX_INDEX_VERSION}, not ${describe(version)}`,
    );
  const codec = keyCodec<unknown, unknown>(key);
  const keys = new ViewKeys(NO_BYTES, codec);
  const make = of === undefined ? manyOf(what, each as (value: unknown, key: unknown) => unknown) : oneOf(of);
  return {
    name,
    unique,
    codec: codec.name,
    version,
    keys,
    keysOf: (rowKey, value) => {
      const [decodedKey, decoded] = [rows.keys.decode(rowKey), rows.values.decode(value, rowKey)];
      try {
        return distinct(make(decoded, decodedKey).map((each) => new Uint8Array(keys.encode(each))));
      } catch (cause) {
        throw new KayaError(
          "KAYA_INVALID_ARGUMENT",
          `${what} has no key for the row ${describe(decodedKey)} in ${rows.keys.view}: ${reason(cause)}`,
          { cause },
        );
      }
    },
  };
}

type KeysOf = (value: unknown, key: unknown) => readonly unknown[];

function oneOf(of: (value: never, key: never) => unknown): KeysOf {
  return (value, key) => {
    const made = (of as (value: unknown, key: unknown) => unknown)(value, key);
    return made === undefined ? [] : [made];
  };
}

function manyOf(what: string, each: (value: unknown, key: unknown) => unknown): KeysOf {
  return (value, key) => {
    const made = each(value, key);
    if (!Array.isArray(made))
      throw invalid(`each of ${what} must return an array of keys, not ${describe(made)}`);
    return made;
  };
}

function distinct(keys: readonly Uint8Array[]): readonly Uint8Array[] {
  if (keys.length < 2) return keys;
  const sorted = [...keys].sort(Buffer.compare);
  return sorted.filter((key, i) => i === 0 || Buffer.compare(key, sorted[i - 1] as Uint8Array) !== 0);
}
