/**
 * MurmurHash3 (x86, 32 bits; Austin Appleby, public domain) of keys of whole words, to show what a hash of keys must withstand: keys that
 * collide whatever its seed is (Aumasson, Bernstein, Boßlet, "Hash-flooding DoS reloaded", 2012).
 */
export function murmur3(key: Uint8Array, seed: number): number {
  const words = new DataView(key.buffer, key.byteOffset, key.length);
  let hash = seed;
  for (let at = 0; at < key.length; at += 4) {
    hash = rotate(hash ^ scramble(words.getInt32(at, true)), 13);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= key.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Two to the `pairs` keys. In each pair of words a flipped bit of the first becomes the highest bit, which one of the second flips back. */
export function murmurCollisions(pairs: number): Uint8Array[] {
  const [plain, flipped] = [
    [1, 2],
    [unscramble(scramble(1) ^ 0x00040000), unscramble(scramble(2) ^ 0x80000000)],
  ] as const;
  return Array.from({ length: 2 ** pairs }, (_, choice) => {
    const words = Array.from({ length: pairs }, (_, pair) =>
      (choice >>> pair) & 1 ? flipped : plain,
    ).flat();
    return new Uint8Array(Int32Array.from(words).buffer);
  });
}

function scramble(word: number): number {
  return Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
}

function unscramble(word: number): number {
  return Math.imul(rotate(Math.imul(word, inverse(0x1b873593)), 17), inverse(0xcc9e2d51));
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

/** Of an odd number modulo 2 to the 32nd, by Newton's iteration. */
function inverse(odd: number): number {
  let found = odd;
  for (let i = 0; i < 5; i++) found = Math.imul(found, 2 - Math.imul(odd, found));
  return found;
}
