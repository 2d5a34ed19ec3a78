import stringWidth from "string-width";
import { asText, toHex } from "../bytes.js";
import { escapeText } from "./escape-text.js";

export { escapeLines, escapeText } from "./escape-text.js";

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
