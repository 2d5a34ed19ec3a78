import { KayaError } from "@kaya/core";
import { inspectWal, isWarning, type SegmentLocation, WAL_MAGIC } from "@kaya/wal";
import { hexBytes } from "./hex-dump.js";
import { readBytes } from "./inspection-printer.js";

/** Segments, and what a recovery keeps of them in quarantine. */
const SEGMENT_NAME = /^[0-9a-f]{16}\.wal(\.|$)/;

const MAGIC = Buffer.alloc(4);
MAGIC.writeUInt32LE(WAL_MAGIC);

/**
 * Refuses a file that a log did not write: it is not damaged. A file counts as a segment by its name, by its first bytes, or by a whole
 * record anywhere in it.
 * @param given the path as the user wrote it, for the message
 * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_IO
 */
export async function requireSegment(location: SegmentLocation, given: string): Promise<void> {
  if (SEGMENT_NAME.test(location.name)) return;
  const head = Buffer.from(await readBytes(location, 0, MAGIC.length));
  const isBegun = head.equals(MAGIC.subarray(0, head.length)) || head.every((byte) => byte === 0);
  if (isBegun || (await hasRecords(location))) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${given} is not a segment of a log: a segment begins with ${describe(MAGIC)}, and this file begins with ${describe(head)}. ` +
      "Give a .wal file, a data directory or its wal/.",
  );
}

async function hasRecords({ disk, path }: SegmentLocation): Promise<boolean> {
  for await (const item of inspectWal(disk, path))
    if (!isWarning(item) || item.kind === "ValidRecordsBeyondDamage") return true;
  return false;
}

/** `41 59 41 4b ("AYAK")`. */
function describe(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  return `${hexBytes(bytes)}${/^[\x20-\x7e]+$/.test(text) ? ` (${JSON.stringify(text)})` : ""}`;
}
