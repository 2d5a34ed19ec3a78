import { checkBytes } from "@kaya/core";
import type { PrefixCodec } from "./codec.js";

/** Bytes as they are. */
export const BYTES: PrefixCodec<Uint8Array, Uint8Array> = {
  name: "bytes",
  encode: checked,
  decode: (bytes) => bytes,
  encodePrefix: checked,
};

function checked(value: Uint8Array): Uint8Array {
  checkBytes(value, "it");
  return value;
}
