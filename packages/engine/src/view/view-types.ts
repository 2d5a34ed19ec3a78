import type { Codec } from "./codecs/codec.js";
import type { JsonOf, JsonValue, Something } from "./codecs/json.js";
import type { Tuple } from "./codecs/tuple.js";
import type { InputOf, OutputOf, StandardSchema } from "./schema.js";

/** The codec of a view's keys: the name of one that Kaya has, or one of your own. */
export type KeyChoice = "utf8" | "bytes" | "tuple" | Codec<unknown>;

/** The codec of a view's values: the name of one that Kaya has, or one of your own. */
export type ValueChoice = "utf8" | "bytes" | "json" | "msgpack" | Codec<unknown>;

interface NamedKeys {
  utf8: string;
  bytes: Uint8Array;
  tuple: Tuple;
}

interface NamedInputs {
  utf8: string;
  bytes: Uint8Array;
  json: Something;
  msgpack: Something;
}

interface NamedOutputs {
  utf8: string;
  bytes: Uint8Array;
  json: JsonValue;
  msgpack: unknown;
}

/** The type of the keys of a view with this codec. */
export type KeyOf<C extends KeyChoice> = C extends keyof NamedKeys
  ? NamedKeys[C]
  : C extends { decode(bytes: Uint8Array): infer Key }
    ? Key
    : never;

/** The type that `prefix` takes in the ranges of a view with this codec; never if its keys have no prefixes. */
export type PrefixOf<C extends KeyChoice> = C extends keyof NamedKeys
  ? NamedKeys[C]
  : C extends { encodePrefix(prefix: infer Prefix): Uint8Array }
    ? Prefix
    : never;

/** The type of the values that are written into a view with this codec and schema. */
export type ValueInput<C extends ValueChoice, S extends StandardSchema | undefined> = S extends StandardSchema
  ? InputOf<S>
  : C extends keyof NamedInputs
    ? NamedInputs[C]
    : C extends { encode(value: infer Input): Uint8Array }
      ? Input
      : never;

/**
 * The type of the values that are read from a view with this codec and schema: what the codec gives back of
 * what the schema gave.
 */
export type ValueOutput<C extends ValueChoice, S extends StandardSchema | undefined> = C extends "json"
  ? S extends StandardSchema
    ? JsonOf<OutputOf<S>>
    : JsonValue
  : C extends keyof NamedOutputs
    ? S extends StandardSchema
      ? OutputOf<S> extends NamedOutputs[C]
        ? OutputOf<S>
        : NamedOutputs[C]
      : NamedOutputs[C]
    : C extends { decode(bytes: Uint8Array): infer Output }
      ? Output
      : never;
