import { byteAt } from "./words.js";

/**
 * A 32-bit hash of a key, signed. MurmurHash3 (x86, 32 bits) by Austin Appleby, public domain: well spread in its high bits
 * and its low ones, which the index uses for different things.
 */
export function hashKey(key: Uint8Array, seed: number): number {
  const length = key.length;
  const inWords = length & ~3;
  let hash = seed;
  for (let i = 0; i < inWords; i += 4) {
    const word =
      byteAt(key, i) | (byteAt(key, i + 1) << 8) | (byteAt(key, i + 2) << 16) | (byteAt(key, i + 3) << 24);
    hash ^= scramble(word);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let i = length - 1; i >= inWords; i--) rest = (rest << 8) | byteAt(key, i);
  return finish(hash ^ scramble(rest) ^ length);
}

function scramble(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
