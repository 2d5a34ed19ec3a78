/** Up to this length a loop finds the first difference; for longer keys one native call is faster. */
const NATIVE_COMPARE_BYTES = 64;

/** Below 0 where a is less than b, 0 where they are the same, above 0 where it is greater: bytewise, a prefix first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  const near = Math.min(length, NATIVE_COMPARE_BYTES);
  for (let i = 0; i < near; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return near === length ? a.length - b.length : Buffer.compare(a, b);
}

/** Compares `key`, from `from` on, with `bytes[start, end)`. */
export function compareToRange(
  key: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
  from = 0,
): number {
  const length = Math.min(key.length - from, end - start);
  const near = Math.min(length, NATIVE_COMPARE_BYTES);
  for (let i = 0; i < near; i++) {
    const difference = (key[from + i] as number) - (bytes[start + i] as number);
    if (difference !== 0) return difference;
  }
  if (near === length) return key.length - from - (end - start);
  return Buffer.compare(key.subarray(from), bytes.subarray(start, end));
}

/** The length of the common beginning. */
export function commonPrefix(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a[i] === b[i]) i++;
  return i;
}

/** A copy as a plain `Uint8Array`, also of a `Buffer` (whose `slice` would share its bytes). */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes);
}

/** A short copy in JavaScript: `set` has a fixed cost. */
export function copyInto(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): void {
  if (end - start > 32) {
    target.set(source.subarray(start, end), at);
    return;
  }
  for (let i = start; i < end; i++) target[at++] = source[i] as number;
}

/** Up to four bytes as a number in their order; zeros for missing ones. */
export function headOf(bytes: Uint8Array, start: number, end: number): number {
  let head = 0;
  for (let i = 0; i < 4; i++) head = head * 256 + (start + i < end ? (bytes[start + i] as number) : 0);
  return head;
}
