import { copyBytes, type SequenceNumber } from "@kaya/core";
import { type Bytes, toBytes } from "./input.js";

/** A key, and what it has. It serves as the condition of a batch: that the key still is as it was read. */
export interface Entry {
  readonly key: Uint8Array;
  /** Undefined where the key is absent. */
  readonly value: Uint8Array | undefined;
  /** Of the write that made the value; undefined where the key is absent. */
  readonly sequence: SequenceNumber | undefined;
}

interface View {
  get(key: Uint8Array): Uint8Array | undefined;
  sequenceOf(key: Uint8Array): SequenceNumber | undefined;
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function entryOf(view: View, key: Bytes): Entry {
  const bytes = copyBytes(toBytes(key, "key"), "a key");
  return { key: bytes, value: view.get(bytes), sequence: view.sequenceOf(bytes) };
}
