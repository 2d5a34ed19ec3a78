/** Past this many equal bytes one call of the native comparison is cheaper than going on byte by byte. */
const INLINE_BYTES = 48;

/** Orders bytewise, a prefix before what it is a prefix of: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  const inline = Math.min(shared, INLINE_BYTES);
  for (let i = 0; i < inline; i++) {
    // i is below both lengths, so both reads are numbers.
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return shared > inline ? Buffer.compare(a, b) : a.length - b.length;
}

/**
 * The smallest key behind all keys that begin with `prefix`: the exclusive end of a prefix scan. Undefined where no key
 * is behind them, that is for the empty prefix and for one of 0xff alone.
 */
export function successorOfPrefix(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const successor = copyBytes(prefix.subarray(0, length));
  successor[length - 1] = (successor[length - 1] as number) + 1;
  return successor;
}

/** Bytes one to one as characters: a Map does not find a Uint8Array by its bytes. */
export function nameOfBytes({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString("latin1");
}

/** Whether both have the same bytes, or neither is there. */
export function isSameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.length === b.length && Buffer.compare(a, b) === 0;
}

/** A plain `Uint8Array` with bytes of its own, also where `bytes` is a `Buffer` (whose `slice` would share them). */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
