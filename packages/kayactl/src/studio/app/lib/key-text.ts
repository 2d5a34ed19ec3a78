import { escapeText } from "../../../terminal/escape-text.js";
import type { Base64Url } from "../../api.js";
import { decodeText, fromBase64Url, startsWith, toHex } from "./bytes.js";

/** Bytes as a person reads them. */
export interface ShownBytes {
  readonly text: string;
  readonly isHex: boolean;
}

/** Text with what would not be seen as escapes; what is no text as hex. */
export function showBytes(bytes: Uint8Array): ShownBytes {
  const text = decodeText(bytes);
  return text === undefined
    ? { text: hexPairs(bytes), isHex: true }
    : { text: escapeText(text), isHex: false };
}

export function showKey(key: Base64Url): ShownBytes {
  return showBytes(fromBase64Url(key));
}

/** A key as one line of plain text, for titles and what screen readers say. */
export function keyLabel(key: Base64Url | Uint8Array): string {
  const bytes = typeof key === "string" ? fromBase64Url(key) : key;
  if (bytes.length === 0) return "the empty key";
  const { text, isHex } = showBytes(bytes);
  return isHex ? `hex ${text}` : text;
}

/** What a key has behind a prefix. The whole key, where the prefix is all of it or the rest is no text though the whole is. */
export function showBehind(bytes: Uint8Array, prefix: Uint8Array): ShownBytes {
  if (prefix.length === 0 || bytes.length === prefix.length || !startsWith(bytes, prefix))
    return showBytes(bytes);
  const rest = showBytes(bytes.subarray(prefix.length));
  return rest.isHex && decodeText(bytes) !== undefined ? showBytes(bytes) : rest;
}

function hexPairs(bytes: Uint8Array): string {
  return toHex(bytes).replace(/(..)(?=.)/g, "$1 ");
}
