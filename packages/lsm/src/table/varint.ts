/** The largest number of bytes that a varint takes: numbers to 2^53 - 1. */
export const MAX_VARINT_BYTES = 8;

/** Seven bits a byte, the lowest first; the top bit says that another byte follows. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Gives the offset behind what it wrote. @param value from 0 to 2^53 - 1 */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let position = at;
  let rest = value;
  while (rest >= 0x8000_0000) {
    bytes[position++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest >= 0x80) {
    bytes[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[position++] = rest;
  return position;
}

/** Reads consecutive varints. `value` is -1 if there was none: it went past `end`, or past 2^53 - 1. */
export class VarintReader {
  value = 0;

  /** Gives the offset behind it. */
  read(bytes: Uint8Array, at: number, end: number): number {
    let value = 0;
    let scale = 1;
    for (let i = at; i < end && i < at + MAX_VARINT_BYTES; i++) {
      const byte = bytes[i] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.value = value <= Number.MAX_SAFE_INTEGER ? value : -1;
        return i + 1;
      }
      scale *= 0x80;
    }
    this.value = -1;
    return end;
  }
}
