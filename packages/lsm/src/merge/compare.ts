import { compareBytes } from "../bytes.js";

/** The order of two exclusive ends, where `undefined` is behind every key. */
export function compareEnds(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  if (a === undefined || b === undefined) return (a === undefined ? 1 : 0) - (b === undefined ? 1 : 0);
  return compareBytes(a, b);
}

/** The smallest key behind `key`: the exclusive end of a range whose last key it is. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const after = new Uint8Array(key.length + 1);
  after.set(key);
  return after;
}
