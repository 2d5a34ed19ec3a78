/**
 * Turns values into bytes and back. `decode` returns `Out`, `encode` takes `In`.
 *
 * A codec of keys must keep their order: if one key comes before another, so do its bytes, compared byte by
 * byte. Two different keys must not give the same bytes.
 */
export interface Codec<Out, In = Out> {
  /** The name of the codec, for messages and for the definition of an index. */
  readonly name: string;
  /**
   * The bytes of a value. It may throw for a value that it cannot hold: then nothing is written. It must not
   * keep the bytes that it returned.
   */
  encode(value: In): Uint8Array;
  /** The value of some bytes. It throws for bytes that it cannot read. It may keep the bytes. */
  decode(bytes: Uint8Array): Out;
}

/** A codec of keys with prefixes, which a range may name: `scan({ prefix })`. */
export interface PrefixCodec<Key, Prefix> extends Codec<Key> {
  /** Bytes that the encoded keys with this prefix begin with, and no other key does. */
  encodePrefix(prefix: Prefix): Uint8Array;
}
