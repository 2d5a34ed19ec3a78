import { type Engine, KayaError } from "@kaya/engine";
import { displayBytes } from "../terminal/text.js";
import { hasPrefix, RESERVED_PREFIX } from "./key-range.js";

/** The keys of definitions of indexes begin with it; then come the prefix of the rows, a 00 and the name of the index (INDEXES.md). */
const DEFINITION: Uint8Array = Buffer.concat([RESERVED_PREFIX, Buffer.from("d")]);

interface IndexedPrefix {
  readonly prefix: Uint8Array;
  readonly name: string;
}

/** The prefixes of the rows that have indexes. @throws KayaError as a scan */
export async function readIndexedPrefixes(engine: Engine): Promise<readonly IndexedPrefix[]> {
  const keys = await engine.keys({ prefix: DEFINITION }).toArray();
  return keys.map((key) => {
    const end = key.lastIndexOf(0);
    return { prefix: key.subarray(DEFINITION.length, end), name: displayBytes(key.subarray(end + 1)) };
  });
}

/**
 * Only a program that declares an index may write its rows: else the entries of the index would no longer be those of its rows.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function assertNotIndexed(indexed: readonly IndexedPrefix[], key: Uint8Array): void {
  const found = indexed.find(({ prefix }) => hasPrefix(key, prefix));
  if (found === undefined) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `the key ${displayBytes(key)} is a row of the index ${found.name}: only a program that declares the index may write it. Nothing was written.`,
  );
}
