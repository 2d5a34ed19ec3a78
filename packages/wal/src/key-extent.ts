/** Whether a key is in a range: its start is included, its end is not; without an end it has no upper bound. */
export function isInExtent(key: Uint8Array, start: Uint8Array, end: Uint8Array | undefined): boolean {
  return Buffer.compare(key, start) >= 0 && (end === undefined || Buffer.compare(key, end) < 0);
}

/** Whether such a range can hold a key. */
export function isExtent(start: Uint8Array, end: Uint8Array | undefined): boolean {
  return end === undefined || Buffer.compare(start, end) < 0;
}
