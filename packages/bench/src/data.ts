/** Every entry has a key of this many bytes and, where a row does not name another size, a value of `VALUE_BYTES`. */
export const KEY_BYTES = 16;
export const VALUE_BYTES = 100;

const POOL_BYTES = 1 << 20;
const POOL = makePool();

/** Pseudo-random bytes, the same in every process. */
function makePool(): Uint8Array {
  const pool = new Uint8Array(POOL_BYTES);
  const words = new Uint32Array(pool.buffer);
  for (let i = 0; i < words.length; i++) words[i] = mix(i + 1);
  return pool;
}

/** A permutation of 32-bit numbers that scatters neighbours. */
function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The key of entry `index`: distinct up to 2^32 entries, in random order. Fresh bytes. */
export function entryKey(index: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  let word = mix(index);
  for (let at = 0; at < KEY_BYTES; at += 4) {
    key[at] = word >>> 24;
    key[at + 1] = word >>> 16;
    key[at + 2] = word >>> 8;
    key[at + 3] = word;
    word = mix(word + at);
  }
  return key;
}

/** The value of entry `index`: random bytes, another stretch of them for each entry. A view that nobody writes to. At most 512 KiB. */
export function entryValue(index: number, bytes = VALUE_BYTES): Uint8Array {
  const start = mix(index ^ 0x5bd1e995) % (POOL_BYTES - bytes);
  return POOL.subarray(start, start + bytes);
}

/** Pseudo-random numbers from 0 to 1 (not included), the same in every process. */
export function makeRandom(): () => number {
  let i = 0;
  return () => mix(++i) / 2 ** 32;
}

const TEXT = new TextEncoder().encode('{"kind":"order","state":"delivered","currency":"EUR"');

/**
 * The value of entry `index` where the store may compress: one half random bytes, the other the same text in each. Fresh bytes. The half
 * is what LevelDB's and RocksDB's own benchmark takes.
 */
export function halfRandomValue(index: number): Uint8Array {
  const value = entryValue(index).slice();
  value.set(TEXT.subarray(0, VALUE_BYTES / 2), VALUE_BYTES / 2);
  return value;
}

/** One of the keys of entries 0 to `entries`, in an order unrelated to that of the writes. */
export function sampleKey(i: number, entries: number): Uint8Array {
  return entryKey(sampleIndex(i, entries));
}

/** One of the numbers 0 to `entries` (not included), without order. */
export function sampleIndex(i: number, entries: number): number {
  return mix(i + 7) % entries;
}

/** Keys of `count` of the entries `from` to `from + entries`, in an order unrelated to that of the writes. */
export function sampleKeys(count: number, entries: number, from = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => entryKey(from + sampleIndex(i, entries)));
}
