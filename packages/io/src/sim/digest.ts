/**
 * A running checksum of 53 bits, for telling states apart: fast, not for secrets. Two lanes of MurmurHash3's x86 mixing,
 * each with constants of its own.
 */
export class Digest {
  #low = 0x243f6a88;
  #high = 0x13198a2e;
  #count = 0;

  word(word: number): this {
    this.#low = Math.imul(
      rotate(this.#low ^ Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593), 13),
      5,
    );
    this.#high = Math.imul(
      rotate(this.#high ^ Math.imul(rotate(Math.imul(word, 0x239b961b), 16), 0x38b34ae5), 18),
      5,
    );
    this.#low = (this.#low + 0x561ccd1b) | 0;
    this.#high = (this.#high + 0x0bcaa747) | 0;
    this.#count++;
    return this;
  }

  /** A whole number up to 2^53. */
  number(value: number): this {
    return this.word(value | 0).word(Math.floor(value / 2 ** 32));
  }

  text(text: string): this {
    for (let i = 0; i < text.length; i++) this.word(text.charCodeAt(i));
    return this.word(text.length);
  }

  /** The first `length` bytes of these words; later bytes of the last word are zero. */
  words(words: Int32Array, length: number): this {
    const count = Math.ceil(length / 4);
    for (let i = 0; i < count; i++) this.word(words[i] ?? 0);
    return this.number(length);
  }

  /** A whole number from 0 to 2^53 - 1. */
  get value(): number {
    const low = finish(this.#low ^ this.#count);
    const high = finish(this.#high ^ low);
    return (high & 0x1fffff) * 2 ** 32 + (finish(low + high) >>> 0);
  }
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function finish(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
