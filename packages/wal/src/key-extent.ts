/** Whether a key stands in a range that has its start and does not have its end; without an end it has no upper bound. */
export function isInExtent(key: Uint8Array, start: Uint8Array, end: Uint8Array | undefined): boolean {
  return Buffer.compare(key, start) >= 0 && (end === undefined || Buffer.compare(key, end) < 0);
}

/** Whether such a range can hold a key. */
export function isExtent(start: Uint8Array, end: Uint8Array | undefined): boolean {
  return end === undefined || Buffer.compare(start, end) < 0;
}
