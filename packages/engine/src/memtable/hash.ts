import { randomBytes } from "node:crypto";
import { byteAt } from "./words.js";

/** The secret of the hash that finds keys in memory: 64 bits. It keeps others from making keys that collide. */
export interface HashSecret {
  /** The low 32 bits, as a whole number. */
  readonly low: number;
  /** The high 32 bits, as a whole number. */
  readonly high: number;
}

export function newHashSecret(): HashSecret {
  const bytes = randomBytes(8);
  return { low: bytes.readInt32LE(0), high: bytes.readInt32LE(4) };
}

/**
 * A 32-bit hash of a key, signed: HalfSipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; the 32-bit variant is
 * in their reference implementation, github.com/veorq/SipHash). Whoever does not know the secret cannot make keys that collide. Linux
 * uses the same rounds for its hash tables (Documentation/security/siphash.rst).
 */
export function hashKey(key: Uint8Array, { low, high }: HashSecret): number {
  const length = key.length;
  const inWords = length & ~3;
  let v0 = low;
  let v1 = high;
  let v2 = low ^ 0x6c796765;
  let v3 = high ^ 0x74656462;
  let i = 0;
  // One round for each word, the last of which has what is left of the key, and its length.
  for (;;) {
    let word: number;
    if (i < inWords) {
      word =
        byteAt(key, i) | (byteAt(key, i + 1) << 8) | (byteAt(key, i + 2) << 16) | (byteAt(key, i + 3) << 24);
    } else {
      word = length << 24;
      for (let rest = length - 1; rest >= inWords; rest--) word |= byteAt(key, rest) << ((rest & 3) << 3);
    }
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
    if (i >= inWords) break;
    i += 4;
  }
  v2 ^= 0xff;
  for (let round = 0; round < 3; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  return v1 ^ v3;
}
