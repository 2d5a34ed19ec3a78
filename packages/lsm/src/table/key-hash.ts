/**
 * HalfSipHash (Aumasson and Bernstein, the 32-bit variant of SipHash) with 64 bits of output. Without its key nobody can choose keys that
 * collide. Linux uses 1 and 3 rounds in its hash tables on 32-bit machines (`hsiphash`); the reference's 2 and 4 rounds exist for its test
 * vectors.
 *
 * The result is in `first` and `second`: an object for each hash would cost more than the hash.
 */
export class KeyHash {
  readonly #k0: number;
  readonly #k1: number;
  readonly #rounds: number;
  readonly #finalRounds: number;
  /** 32 bits each, signed. */
  first = 0;
  second = 0;
  #v0 = 0;
  #v1 = 0;
  #v2 = 0;
  #v3 = 0;

  /** @param key its first eight bytes are used */
  constructor(key: Uint8Array, rounds = 1, finalRounds = 3) {
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    this.#k0 = view.getInt32(0, true);
    this.#k1 = view.getInt32(4, true);
    this.#rounds = rounds;
    this.#finalRounds = finalRounds;
  }

  update(key: Uint8Array): void {
    let v0 = this.#k0;
    let v1 = this.#k1 ^ 0xee;
    let v2 = this.#k0 ^ 0x6c79_6765;
    let v3 = this.#k1 ^ 0x7465_6462;
    const rounds = this.#rounds;
    const length = key.length;
    const words = length - (length & 3);
    for (let i = 0; i <= words; i += 4) {
      let word = 0;
      if (i < words) {
        word =
          (key[i] as number) |
          ((key[i + 1] as number) << 8) |
          ((key[i + 2] as number) << 16) |
          ((key[i + 3] as number) << 24);
      } else {
        word = length << 24;
        if (i + 2 < length) word |= (key[i + 2] as number) << 16;
        if (i + 1 < length) word |= (key[i + 1] as number) << 8;
        if (i < length) word |= key[i] as number;
      }
      v3 ^= word;
      for (let round = 0; round < rounds; round++) {
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
      v0 ^= word;
    }
    this.#v0 = v0;
    this.#v1 = v1;
    this.#v2 = v2 ^ 0xee;
    this.#v3 = v3;
    this.#finish();
    this.first = this.#v1 ^ this.#v3;
    this.#v1 ^= 0xdd;
    this.#finish();
    this.second = this.#v1 ^ this.#v3;
  }

  #finish(): void {
    let v0 = this.#v0;
    let v1 = this.#v1;
    let v2 = this.#v2;
    let v3 = this.#v3;
    for (let round = 0; round < this.#finalRounds; round++) {
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
    this.#v0 = v0;
    this.#v1 = v1;
    this.#v2 = v2;
    this.#v3 = v3;
  }
}
