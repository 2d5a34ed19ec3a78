import type { RangeOptions } from "@kaya/engine";
import { asText } from "../bytes.js";
import { escapeText } from "../terminal/text.js";
import type { Candidate } from "./candidates.js";

/** As much of an engine, or of a snapshot, as completion needs. */
export interface KeySource {
  keys(range: RangeOptions): AsyncIterable<Uint8Array>;
}

/** So many are offered; of more, the first and the last. */
const MOST_KEYS = 50;
const MOST_KEY_CHARACTERS = 200;
/** Seeks, also of keys that cannot be offered. */
const MOST_SEEKS = 500;

/** What separates the parts of a key. */
const SEPARATOR = /[:/]/;

/**
 * Keys that begin with `prefix`, as a shell would list the files of a directory: where several keys go on the same up to the next `:` or
 * `/`, that part stands for all of them. Keys that are not printable text are left out.
 * @param isOver ends the search early
 */
export async function keysBelow(
  source: KeySource,
  prefix: string,
  isOver: () => boolean = () => false,
): Promise<Candidate[]> {
  const found: Candidate[] = [];
  const start = Buffer.from(prefix, "utf8");
  let from: Uint8Array | undefined = start;
  for (let seeks = 0; from !== undefined && seeks < MOST_SEEKS && !isOver(); seeks++) {
    const range: RangeOptions = { prefix: start, gte: from, limit: 2 };
    const [first, second] = await keysIn(source, range);
    if (first === undefined) return found;
    if (found.length === MOST_KEYS) return [...found, ...(await lastBelow(source, start, prefix))];
    const part = partOf(first, second, prefix);
    if (part !== undefined) found.push(part);
    from =
      part?.isPart === true ? behind(Buffer.from(part.value, "utf8")) : Buffer.concat([first, Buffer.of(0)]);
  }
  return found;
}

/** The last key: what it has in common with the first ones, all between them have. */
async function lastBelow(source: KeySource, start: Uint8Array, prefix: string): Promise<Candidate[]> {
  const [last] = await keysIn(source, { prefix: start, reverse: true, limit: 1 });
  const part = last && partOf(last, undefined, prefix);
  return part === undefined ? [] : [part];
}

async function keysIn(source: KeySource, range: RangeOptions): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = [];
  for await (const key of source.keys(range)) keys.push(key);
  return keys;
}

/** A key, or the part of it that the next key shares. */
function partOf(key: Uint8Array, next: Uint8Array | undefined, prefix: string): Candidate | undefined {
  const text = offered(key);
  if (text === undefined) return undefined;
  const at = text.slice(prefix.length).search(SEPARATOR);
  if (at < 0 || next === undefined) return { value: text };
  const part = text.slice(0, prefix.length + at + 1);
  const bytes = Buffer.from(part, "utf8");
  const isShared = bytes.length < key.length && Buffer.compare(next.subarray(0, bytes.length), bytes) === 0;
  return isShared ? { value: part, isPart: true } : { value: text };
}

/** The text of a key that may be typed and shown as it is. */
function offered(key: Uint8Array): string | undefined {
  if (key.length === 0 || key.length > MOST_KEY_CHARACTERS) return undefined;
  const text = asText(key);
  if (text === undefined || text.includes("\ufffd") || escapeText(text) !== text) return undefined;
  return text;
}

/** The first key that does not begin so; undefined where there is none. */
function behind(bytes: Uint8Array): Uint8Array | undefined {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const copy = Uint8Array.from(bytes.subarray(0, length));
  copy[length - 1] = (copy[length - 1] ?? 0) + 1;
  return copy;
}
