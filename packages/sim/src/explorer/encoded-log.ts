import { encodeRecord, operationCount, WAL_HEADER_LENGTH, type WalPayload } from "@kaya/wal";

/** The bytes of a log that holds these payloads, segment by segment. */
export function encodeSegments(segments: readonly (readonly WalPayload[])[]): Uint8Array[] {
  let lsn = 0;
  let sequence = 1;
  return segments.map((payloads) => {
    const records = payloads.map((payload) => {
      const bytes = encodeRecord({ lsn: ++lsn, sequence, payload });
      sequence += operationCount(payload);
      return bytes;
    });
    return Buffer.concat(records);
  });
}

/** Where the record with that index, from 0, begins in a segment that is whole. */
export function recordOffset(segment: Uint8Array, index: number): number {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.length);
  let offset = 0;
  for (let skipped = 0; skipped < index; skipped++) {
    offset += WAL_HEADER_LENGTH + view.getUint32(offset + 28, true);
  }
  return offset;
}

export function flipped(bytes: Uint8Array, offset: number, bit: number): Uint8Array {
  return bytes.map((byte, index) => (index === offset ? byte ^ (1 << bit) : byte));
}

export function segmentPath(id: number): string {
  return `wal/${id.toString(16).padStart(16, "0")}.wal`;
}

export function isSegmentPath(path: string): boolean {
  return /^wal\/[0-9a-f]{16}\.wal$/.test(path);
}
