const U32 = 2 ** 32;

/** Little-endian, as all integers of the format; a number above 2^53 - 1 may be rounded, but stays above it. */
export function readU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * U32 + view.getUint32(at, true);
}

export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / U32), true);
}
