import type { SequenceNumber } from "@kaya/core";
import { copyBytes } from "./bytes.js";

/** A live key with its value and the sequence number of the operation that wrote it. Never changed once made. */
export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly sequence: SequenceNumber;
}

/**
 * An entry with copies of key and value. The two are separate allocations: a separator in the tree may hold on to a key
 * after its entry is gone, and must not hold on to the value with it.
 */
export function copyEntry(key: Uint8Array, value: Uint8Array, sequence: SequenceNumber): Entry {
  return { key: copyBytes(key), value: copyBytes(value), sequence };
}
