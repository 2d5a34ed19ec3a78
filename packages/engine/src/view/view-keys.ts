import { describe, isBytes, KayaError, readOptions } from "@kaya/core";
import { showKey } from "../conditions.js";
import { invalid } from "../input.js";
import type { KeyBounds, RangeOptions } from "../range.js";
import { takesLent } from "./choose-codec.js";
import type { Codec, PrefixCodec } from "./codecs/codec.js";

/**
 * Which keys of a view a scan, a count or a clear is about, in the type of its keys. All given bounds hold
 * together.
 */
export interface ViewRange<K, P = never> extends ViewBounds<K, P> {
  /** True: from the last key to the first. Default false. */
  readonly reverse?: boolean;
  /** At most this many entries, a whole number >= 0. Default: all. */
  readonly limit?: number;
}

/**
 * The bounds of a range of a view: all keys within them, in no order. For tuples a bound may be the first
 * elements: a shorter tuple comes before all tuples that begin with it.
 */
export interface ViewBounds<K, P = never> {
  /** Only keys that begin with this: text by its first characters, tuples by their first elements. */
  readonly prefix?: P;
  /** Only keys after this one. */
  readonly gt?: K | P;
  /** Only this key and keys after it. */
  readonly gte?: K | P;
  /** Only keys before this one. */
  readonly lt?: K | P;
  /** Only this key and keys before it. */
  readonly lte?: K | P;
}

type Mutable<T> = { -readonly [N in keyof T]: T[N] };

const BOUNDS = ["gt", "gte", "lt", "lte"] as const;
const BOUNDS_KNOWN: readonly string[] = ["prefix", ...BOUNDS];
const RANGE_KNOWN: readonly string[] = [...BOUNDS_KNOWN, "reverse", "limit"];

/** The keys of a view: what stands before each, and the codec of the rest. */
export class ViewKeys<K, P> {
  readonly prefix: Uint8Array;
  /** Whether `decode` may be given bytes that are used again. */
  readonly takesLent: boolean;
  readonly #codec: Codec<K> & Partial<PrefixCodec<K, P>>;

  /** @param prefix kept as it is */
  constructor(prefix: Uint8Array, codec: Codec<K> & Partial<PrefixCodec<K, P>>) {
    this.prefix = prefix;
    this.takesLent = takesLent(codec);
    this.#codec = codec;
  }

  /** How messages call the view. */
  get view(): string {
    return this.prefix.length === 0 ? "the view" : `the view ${showKey(this.prefix)}`;
  }

  /** The whole key. @throws KayaError KAYA_INVALID_ARGUMENT */
  encode(key: K): Uint8Array {
    try {
      return this.#whole(this.#codec.encode(key));
    } catch (cause) {
      throw this.#refused(`the key (${describe(key)})`, cause);
    }
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  encodePrefix(prefix: P): Uint8Array {
    try {
      if (this.#codec.encodePrefix === undefined)
        throw invalid(
          `the codec ${describe(this.#codec.name)} has no prefixes: give bounds (gte, lt) instead`,
        );
      return this.#whole(this.#codec.encodePrefix(prefix));
    } catch (cause) {
      throw this.#refused(`the prefix (${describe(prefix)})`, cause);
    }
  }

  /** @param key a whole key of this view. @throws KayaError KAYA_DECODE_FAILED */
  decode(key: Uint8Array): K {
    try {
      return this.#codec.decode(this.prefix.length === 0 ? key : key.subarray(this.prefix.length));
    } catch (cause) {
      throw new KayaError(
        "KAYA_DECODE_FAILED",
        `the codec ${describe(this.#codec.name)} cannot read the key ${showKey(key)} in ${this.view}: ${reason(cause)}. ` +
          "Something else wrote it: read it as bytes, and give each kind of key a prefix of its own",
        { cause, key: new Uint8Array(key) },
      );
    }
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  range(given: ViewRange<K, P> | undefined): RangeOptions {
    const { reverse, limit, ...bounds } = readOptions(given, RANGE_KNOWN, "a range");
    const range: Mutable<RangeOptions> = this.#bounds(bounds);
    if (reverse !== undefined) range.reverse = reverse;
    if (limit !== undefined) range.limit = limit;
    return range;
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT, also for `reverse` and `limit` */
  bounds(given: ViewBounds<K, P> | undefined): KeyBounds {
    return this.#bounds(readOptions(given, BOUNDS_KNOWN, "a range"));
  }

  #bounds(given: ViewBounds<K, P>): Mutable<KeyBounds> {
    const { prefix } = given;
    const bounds: Mutable<KeyBounds> = {
      prefix: prefix === undefined ? this.prefix : this.encodePrefix(prefix),
    };
    for (const name of BOUNDS) {
      const bound = given[name];
      // A prefix of a tuple is encoded as a tuple, and one of text as text.
      if (bound !== undefined) bounds[name] = this.encode(bound as K);
    }
    return bounds;
  }

  #whole(bytes: Uint8Array): Uint8Array {
    if (!isBytes(bytes))
      throw invalid(
        `the codec ${describe(this.#codec.name)} returns ${describe(bytes)}, and not a Uint8Array`,
      );
    const { prefix } = this;
    if (prefix.length === 0) return bytes;
    const whole = new Uint8Array(prefix.length + bytes.length);
    whole.set(prefix);
    whole.set(bytes, prefix.length);
    return whole;
  }

  #refused(what: string, cause: unknown): KayaError {
    return invalidFor(`${what} cannot be used in ${this.view} (${this.#codec.name})`, cause);
  }
}

/** KAYA_INVALID_ARGUMENT around what a codec or a schema threw. */
export function invalidFor(what: string, thrown: unknown): KayaError {
  const cause = KayaError.is(thrown) && thrown.cause !== undefined ? thrown.cause : thrown;
  return new KayaError("KAYA_INVALID_ARGUMENT", `${what}: ${reason(thrown)}`, { cause });
}

/** What a codec says, which may throw anything. */
export function reason(cause: unknown): string {
  try {
    if (typeof (cause as Error)?.message === "string") return (cause as Error).message;
  } catch {
    // A getter that throws.
  }
  return describe(cause);
}
