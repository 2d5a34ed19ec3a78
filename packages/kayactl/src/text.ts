import stringWidth from "string-width";
import { asText, toHex, UNSAFE_CHARACTER } from "./bytes.js";

// A backslash counts only in a text that has an unsafe character, so that an escape is never taken for what it is not.
const UNSAFE = new RegExp(UNSAFE_CHARACTER, "u");
const ESCAPED = new RegExp(`${UNSAFE_CHARACTER}|\\\\`, "gu");
const ESCAPED_BUT_LINES = new RegExp(`(?![\\n\\t])(?:${UNSAFE_CHARACTER}|\\\\)`, "gu");

const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

/** Text as a terminal may show it, on one line. */
export function escapeText(text: string): string {
  return UNSAFE.test(text) ? text.replace(ESCAPED, escapeCharacter) : text;
}

/** The same, with line breaks and tabs as they are. */
export function escapeLines(text: string): string {
  return UNSAFE.test(text.replace(/[\n\t]/g, "")) ? text.replace(ESCAPED_BUT_LINES, escapeCharacter) : text;
}

function escapeCharacter(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return SHORT[character] ?? (code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\u{${code}}`);
}

/** Bytes for people, on one line: text, escaped where it must be, or `hex:00ff`. */
export function displayBytes(bytes: Uint8Array): string {
  const text = asText(bytes);
  return text === undefined ? `hex:${toHex(bytes)}` : escapeText(text);
}

const graphemes = new Intl.Segmenter();

/** Columns that a line takes on a terminal. */
export function textWidth(text: string): number {
  return stringWidth(text);
}

/** The text in at most `columns` columns; what was cut off shows as an ellipsis. */
export function clip(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let width = 1; // of the ellipsis
  let end = 0;
  for (const { segment } of graphemes.segment(text)) {
    width += textWidth(segment);
    if (width > columns) break;
    end += segment.length;
  }
  return columns < 1 ? "" : `${text.slice(0, end)}…`;
}

export function padEnd(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - textWidth(text)));
}
