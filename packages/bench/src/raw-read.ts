import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { crc32c, crc32cRange } from "@kaya/core";
import { locateSegments, WAL_HEADER_LENGTH } from "@kaya/wal";

const CHUNK_BYTES = 1 << 20;
/** Where a header has its payload's length (FORMAT.md). */
const PAYLOAD_LENGTH_AT = 28;

/** The checksum of every byte of a log's segments, read a mebibyte at a time: what no recovery can be faster than. */
export async function checksumOfChunks(dataDir: string): Promise<number> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  let crc = 0;
  await eachSegment(dataDir, async (file) => {
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES);
      if (bytesRead === 0) return;
      crc = crc32c(chunk.subarray(0, bytesRead), crc);
    }
  });
  return crc;
}

/** The checksums that the format asks for: of each record's header and of its payload, and nothing else. @returns records */
export async function checksumOfRecords(dataDir: string): Promise<number> {
  let records = 0;
  await eachSegment(dataDir, async (file) => {
    const bytes = await file.readFile();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; records++) {
      const payload = at + WAL_HEADER_LENGTH;
      const end = payload + view.getUint32(at + PAYLOAD_LENGTH_AT, true);
      crc32cRange(bytes, at, payload);
      crc32cRange(bytes, payload, end);
      at = end;
    }
  });
  return records;
}

async function eachSegment(dataDir: string, read: (file: FileHandle) => Promise<void>): Promise<void> {
  for (const { name } of await locateSegments(dataDir)) {
    const file = await open(join(dataDir, "wal", name), "r");
    try {
      await read(file);
    } finally {
      await file.close();
    }
  }
}
