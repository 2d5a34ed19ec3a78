import { describe } from "@kaya/core";
import { type Bytes, invalid, toBytes } from "../../input.js";
import type { PrefixCodec } from "./codec.js";

/** Text as UTF-8. As keys it orders by code point. */
export const UTF8: PrefixCodec<string, string> = {
  name: "utf8",
  encode: encodeText,
  decode: decodeUtf8,
  encodePrefix: encodeText,
};

// `ignoreBOM` keeps one: text that begins with it comes back as it was.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// Up to here a loop over the bytes takes less time than a call of the decoder.
const SHORT_TEXT = 12;

/** @throws TypeError for bytes that are no UTF-8: replacing them, as decoders do by default, would make different keys equal. */
export function decodeUtf8(bytes: Uint8Array): string {
  return (bytes.length <= SHORT_TEXT ? decodeAscii(bytes) : undefined) ?? decoder.decode(bytes);
}

function encodeText(text: Bytes): Uint8Array {
  if (typeof text !== "string") throw invalid(`it must be a string, not ${describe(text)}`);
  return toBytes(text, "text");
}

/** Undefined where the bytes are not all ASCII. */
function decodeAscii(bytes: Uint8Array): string | undefined {
  let text = "";
  for (const byte of bytes) {
    if (byte >= 0x80) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}
