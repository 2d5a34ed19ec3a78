import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { crc32c, crc32cRange } from "@kaya/core";
import { locateSegments, WAL_HEADER_LENGTH } from "@kaya/wal";

const CHUNK_BYTES = 1 << 20;
const BLOCK_BYTES = 4 << 20;
/** Offset of the payload's length in a header (FORMAT.md). */
const PAYLOAD_LENGTH_AT = 28;

/** The checksum of every byte of a log's segments, read a mebibyte at a time: no recovery can be faster. */
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
  const block = new Uint8Array(BLOCK_BYTES);
  const view = new DataView(block.buffer);
  await eachSegment(dataDir, async (file) => {
    let kept = 0; // bytes of a record that goes on in the next block
    for (;;) {
      const { bytesRead } = await file.read(block, kept, BLOCK_BYTES - kept);
      if (bytesRead === 0) return;
      const end = kept + bytesRead;
      let at = 0;
      for (let next = recordEnd(view, at, end); next <= end; next = recordEnd(view, at, end)) {
        crc32cRange(block, at, at + WAL_HEADER_LENGTH);
        crc32cRange(block, at + WAL_HEADER_LENGTH, next);
        at = next;
        records++;
      }
      block.copyWithin(0, at, end);
      kept = end - at;
    }
  });
  return records;
}

/** End of the record at `at`; beyond `end` if its header is not whole. */
function recordEnd(view: DataView, at: number, end: number): number {
  if (end - at < WAL_HEADER_LENGTH) return Number.POSITIVE_INFINITY;
  return at + WAL_HEADER_LENGTH + view.getUint32(at + PAYLOAD_LENGTH_AT, true);
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
