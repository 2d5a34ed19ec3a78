import { escapeText } from "../terminal/escape-text.js";

const MOST_KEY_CHARACTERS = 200;

/** A key on one line: text, escaped where it must be, or `hex:00ff`; cut where it is long. */
export function keyText(key: Uint8Array): string {
  const text = textOrHex(key);
  return text.length > MOST_KEY_CHARACTERS ? `${text.slice(0, MOST_KEY_CHARACTERS)}…` : text;
}

function textOrHex(key: Uint8Array): string {
  try {
    return escapeText(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(key));
  } catch {
    return `hex:${[...key].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  }
}
