import type { TornWrite } from "./crash.js";
import type { GrowableBytes } from "./growable-bytes.js";
import type { Random } from "./random.js";

interface Write {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** Applies the rest of a torn write to `image`. Outside the write's range only the file's end may change. */
export function applyTorn(write: Write, torn: TornWrite, image: GrowableBytes, random: Random): void {
  const oldEnd = image.length;
  const writeEnd = write.position + write.bytes.length;
  const kept = new Set(torn.keptSectors);
  let keptEnd = oldEnd;
  for (const [sector, from, to] of sectorsOf(write.position, writeEnd, torn.sectorBytes)) {
    if (kept.has(sector)) {
      image.write(from, write.bytes.subarray(from - write.position, to - write.position));
      keptEnd = Math.max(oldEnd, to);
    } else if (torn.rest !== "old") {
      image.write(from, torn.rest === "zeros" ? new Uint8Array(to - from) : random.bytes(to - from));
    }
  }
  const end = torn.fileLength ?? keptEnd;
  image.truncate(Math.min(Math.max(end, oldEnd), Math.max(writeEnd, oldEnd)));
}

/** [number from the first one, start, end] of each sector's part of the range. */
function* sectorsOf(start: number, end: number, size: number): Generator<readonly [number, number, number]> {
  const first = Math.floor(start / size);
  for (let sector = first; sector * size < end; sector++) {
    yield [sector - first, Math.max(start, sector * size), Math.min(end, (sector + 1) * size)];
  }
}
