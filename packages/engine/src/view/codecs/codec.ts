/**
 * Turns values into bytes and back: two functions and a name, which messages have. `Out` is what it gives, `In` what it takes.
 *
 * As the codec of keys it must keep their order: where one key comes before another, so do its bytes, compared byte by byte. Two keys that
 * are not the same must not give the same bytes.
 */
export interface Codec<Out, In = Out> {
  readonly name: string;
  /** May throw for a value that it cannot hold: nothing is written then. It must not hold on to bytes that it gave. */
  encode(value: In): Uint8Array;
  /** Throws for bytes that are none of its own. The bytes are the codec's to keep. */
  decode(bytes: Uint8Array): Out;
}

/** A codec of keys that has prefixes, which a range may name: `scan({ prefix })`. */
export interface PrefixCodec<Key, Prefix> extends Codec<Key> {
  /** Bytes that the encoded keys with this prefix begin with, and no other key does. */
  encodePrefix(prefix: Prefix): Uint8Array;
}
