/** The first byte of each element. Their order is the order of the types. There is room between them, and 0x00, 0x01 and 0xff are none. */
export const Tag = {
  Null: 0x10,
  False: 0x20,
  True: 0x21,
  Number: 0x30,
  NegativeBigInt: 0x38,
  BigInt: 0x39,
  Date: 0x40,
  String: 0x50,
  Bytes: 0x60,
  Tuple: 0x70,
} as const;

/** Ends text, bytes and tuples in tuples. Comes before whatever could follow, so what is shorter comes first. */
export const END = 0x00;
/** In text and bytes 0x00 is written as 0x01 0x01, and 0x01 as 0x01 0x02. */
export const ESCAPE = 0x01;

/** How deep tuples may be in tuples: one that holds itself ends here. */
export const MAX_DEPTH = 32;
export const MAX_BIGINT_BYTES = 0xffff;

const double = new DataView(new ArrayBuffer(8));

/** Writes the eight bytes of a number, changed so that they order as numbers do: the sign is turned round, and where it was set all bits are. */
export function writeDouble(value: number, into: Uint8Array, at: number): void {
  double.setFloat64(0, value);
  const flip = (double.getUint8(0) & 0x80) === 0 ? 0 : 0xff;
  into[at] = double.getUint8(0) ^ (flip | 0x80);
  for (let i = 1; i < 8; i++) into[at + i] = double.getUint8(i) ^ flip;
}

export function readDouble(from: Uint8Array, at: number): number {
  const first = from[at] ?? 0;
  const flip = (first & 0x80) === 0 ? 0xff : 0;
  double.setUint8(0, first ^ (flip | 0x80));
  for (let i = 1; i < 8; i++) double.setUint8(i, (from[at + i] ?? 0) ^ flip);
  return double.getFloat64(0);
}
