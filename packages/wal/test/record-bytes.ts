import { crc32c } from "@kaya/core";

/** Where the header's fields stand, written down a second time on purpose: FORMAT.md, not the code, is what is tested. */
export const AT = {
  magic: 0,
  version: 4,
  headerLength: 6,
  flags: 8,
  recordType: 10,
  lsn: 12,
  sequence: 20,
  payloadLength: 28,
  headerCrc: 32,
  payloadCrc: 36,
  payload: 40,
} as const;

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const u16 = (bytes: Uint8Array, at: number): number => viewOf(bytes).getUint16(at, true);
export const u32 = (bytes: Uint8Array, at: number): number => viewOf(bytes).getUint32(at, true);

/** A copy with a field set. */
export function withU16(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  viewOf(copy).setUint16(at, value, true);
  return copy;
}

export function withU32(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  viewOf(copy).setUint32(at, value, true);
  return copy;
}

export function withU64(bytes: Uint8Array, at: number, value: bigint): Uint8Array {
  const copy = bytes.slice();
  viewOf(copy).setBigUint64(at, value, true);
  return copy;
}

export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  const at = bit >> 3;
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

export function headerCrcOf(bytes: Uint8Array): number {
  return crc32c(withU32(bytes, AT.headerCrc, 0).subarray(0, AT.payload));
}

/** A copy of one record whose header checksum fits what the header says. */
export function resealHeader(bytes: Uint8Array): Uint8Array {
  return withU32(bytes, AT.headerCrc, headerCrcOf(bytes));
}

/** A copy of one record with this payload, and both checksums right: for shapes that no encoder writes. */
export function withPayload(record: Uint8Array, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(AT.payload + payload.length);
  bytes.set(record.subarray(0, AT.payload));
  bytes.set(payload, AT.payload);
  const view = viewOf(bytes);
  view.setUint32(AT.payloadLength, payload.length, true);
  view.setUint32(AT.payloadCrc, crc32c(payload), true);
  return resealHeader(bytes);
}
