import { isUtf8 } from "node:buffer";
import { KayaError } from "@kaya/core";
import { UNSAFE_CHARACTER } from "./terminal/escape-text.js";

// `ignoreBOM`: a value that begins with a byte order mark keeps it.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The bytes that an argument stands for.
 * @param what the argument's name, for messages
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function parseBytes(argument: string, what: string, isHex: boolean): Uint8Array {
  if (isHex) return parseHex(argument, what);
  // Node puts U+FFFD where an argument is no UTF-8: storing that would be a different key, in silence.
  if (argument.includes("\ufffd")) {
    const option = what === "VALUE" ? "--value-hex" : "--key-hex";
    throw invalid(`${what} is not valid UTF-8 (or holds U+FFFD): give its bytes in hex, with ${option}`);
  }
  return Buffer.from(argument, "utf8");
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function parseHex(text: string, what: string): Uint8Array {
  if (!/^[0-9a-f]*$/i.test(text)) throw invalid(`${what} is not hex: only 0-9 and a-f may be in it`);
  if (text.length % 2 !== 0) {
    throw invalid(`${what} is not hex: two digits make a byte, and it has ${text.length}`);
  }
  return Buffer.from(text, "hex");
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/** The text that bytes are, or undefined where they are not valid UTF-8. */
export function asText(bytes: Uint8Array): string | undefined {
  return isUtf8(bytes) ? decoder.decode(bytes) : undefined;
}

/** `{ "key": "text" }`, or `{ "keyHex": "00ff" }` for bytes that are not UTF-8. */
export function jsonField(
  name: "key" | "value" | "start" | "end",
  bytes: Uint8Array,
): Record<string, string> {
  const text = asText(bytes);
  return text === undefined ? { [`${name}Hex`]: toHex(bytes) } : { [name]: text };
}

const UNSAFE = new RegExp(UNSAFE_CHARACTER, "gu");

/** One compact document that may be shown on a terminal: JSON.stringify itself escapes no more than the first controls. */
export function toJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (character) => {
    const units = character.split("");
    return units.map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  });
}

export function invalid(message: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", message);
}
