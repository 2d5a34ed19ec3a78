import { describe } from "@kaya/core";
import { invalid } from "../../input.js";
import type { PrefixCodec } from "./codec.js";
import { TupleReader } from "./tuple-reader.js";
import { TupleWriter } from "./tuple-writer.js";

/** The types of values that a tuple may hold. */
export type TupleElement =
  | null
  | boolean
  | number
  | bigint
  | Date
  | string
  | Uint8Array
  | readonly TupleElement[];

/** A key of several elements, which order one after the other. */
export type Tuple = readonly TupleElement[];

/** The first elements of a tuple: none, some or all. */
export type TuplePrefix<T extends Tuple> = number extends T["length"] ? Readonly<T> : Readonly<Partial<T>>;

const TUPLE: PrefixCodec<Tuple, Tuple> = {
  name: "tuple",
  encode: encodeTuple,
  decode: (bytes) => new TupleReader(bytes).read(),
  // The elements stand one behind the other, and none begins another.
  encodePrefix: encodeTuple,
};

/**
 * Keys that are tuples, with their type: `key: tuple<[user: string, at: Date]>()`. They order element by element: a shorter tuple comes before those that
 * begin with it, and null < false < true < numbers < bigints < Dates < strings (by code point) < bytes < tuples. -0 is 0; NaN is
 * refused. Tuples that begin with the same elements are a prefix: `scan({ prefix: ["ada"] })`.
 */
export function tuple<T extends Tuple = Tuple>(): PrefixCodec<Readonly<T>, TuplePrefix<T>> {
  return TUPLE as unknown as PrefixCodec<Readonly<T>, TuplePrefix<T>>;
}

function encodeTuple(elements: Tuple): Uint8Array {
  if (!Array.isArray(elements)) throw invalid(`it must be an array, not ${describe(elements)}`);
  const writer = new TupleWriter();
  writer.elements(elements);
  return writer.take();
}
