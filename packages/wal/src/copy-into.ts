const INLINE_BYTES = 32;

/** Up to some dozen bytes a loop is faster than a call. */
export function copyInto(
  target: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): void {
  const length = end - start;
  // A whole array needs no view: making one costs as much as the copy.
  if (length > INLINE_BYTES) target.set(length === bytes.length ? bytes : bytes.subarray(start, end), at);
  else for (let i = 0; i < length; i++) target[at + i] = bytes[start + i] as number;
}
