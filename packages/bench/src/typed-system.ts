import type { Durability, StoreMemory } from "./system.js";

/** A key of several parts, in the order of its parts. */
export type Tuple = readonly (string | number)[];

/** The types of an opened store. Each system encodes them in its own way. */
export interface Typing {
  readonly key: "string" | "tuple";
  readonly value: "json" | "msgpack" | "bytes";
}

/** The values of a tuple key's first part, from one (included) to another (not included). */
export interface TupleRange {
  readonly from: Tuple;
  readonly to: Tuple;
}

/** A store with typed keys and values. */
export interface TypedStore {
  /** Settles when the entry is as durable as the store was opened for. */
  put(key: string | Tuple, value: unknown): unknown;
  /** All or nothing. */
  batch(entries: readonly { readonly key: string | Tuple; readonly value: unknown }[]): unknown;
  getSync?(key: string | Tuple): unknown;
  get(key: string | Tuple): Promise<unknown>;
  /** Entries of a store with tuple keys, in order. All of them without a range. */
  scan?(visit: (key: Tuple, value: unknown) => void, range?: TupleRange): Promise<void>;
  close(): Promise<void>;
}

/** A system's own encoding of keys and values. */
export interface TypedSystem {
  /** The types that it can encode without the bench's help. */
  readonly typings: readonly Typing[];
  /** How, for the reader of the report. */
  readonly encodings: string;
  /**
   * @param memory absent: the store's defaults
   * @throws PeerMissing where its package is not installed
   */
  open(dir: string, durability: Durability, typing: Typing, memory?: StoreMemory): Promise<TypedStore>;
}

export const STRING_JSON: Typing = { key: "string", value: "json" };
export const STRING_MSGPACK: Typing = { key: "string", value: "msgpack" };
export const TUPLE_BYTES: Typing = { key: "tuple", value: "bytes" };

export function hasTyping(typed: TypedSystem | undefined, { key, value }: Typing): boolean {
  return typed?.typings.some((other) => other.key === key && other.value === value) ?? false;
}
