import { isUtf8 } from "node:buffer";
import type { KeyValue } from "@kaya/engine";
import { toHex } from "../bytes.js";
import type { Output } from "./output.js";
import { clip, displayBytes, escapeText, padEnd, textWidth } from "./text.js";

/** The text of some entries, piece by piece. */
export type EntryLines = (page: readonly KeyValue[], keysOnly: boolean) => Iterable<string>;

const MIN_VALUE_COLUMNS = 8;

/** Key, tab, value: for a pipe. */
export const tabbedLines: EntryLines = function* (page, keysOnly) {
  for (const { key, value } of page) {
    yield keysOnly ? `${displayBytes(key)}\n` : `${displayBytes(key)}\t${displayBytes(value)}\n`;
  }
};

/** In columns, a line an entry: values that do not fit are cut, keys never. */
export function terminalLines(out: Output): EntryLines {
  return function* (page, keysOnly) {
    const keys = page.map(({ key }) => displayBytes(key));
    if (keysOnly) {
      for (const key of keys) yield `${out.colors.bold(key)}\n`;
      return;
    }
    // A few long keys do not push all values to the edge.
    const most = Math.floor(out.columns / 2);
    const width = Math.max(0, ...keys.map(textWidth).filter((columns) => columns <= most));
    for (const [index, { value }] of page.entries()) {
      const key = padEnd(keys[index] ?? "", width);
      const room = Math.max(MIN_VALUE_COLUMNS, out.columns - textWidth(key) - 2);
      yield `${out.colors.bold(key)}  ${beginning(value, room)}\n`;
    }
  };
}

/** What fits of a value, without formatting megabytes for it. */
function beginning(value: Uint8Array, columns: number): string {
  const isText = isUtf8(value);
  const part = value.subarray(0, columns * 4);
  // `stream` leaves out a character that is cut in the middle.
  const text = isText
    ? escapeText(new TextDecoder("utf-8", { ignoreBOM: true }).decode(part, { stream: true }))
    : `hex:${toHex(part)}`;
  return clip(part.length < value.length ? `${text}…` : text, columns);
}
