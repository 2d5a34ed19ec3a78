import type { CrashItem, TornWrite } from "@kaya/io";

/** Bytes of a disk's sector: 512 or 4096. */
export type SectorSize = TornWrite["sectorBytes"];
export type UnsyncedWrite = Extract<CrashItem, { kind: "write" }>;

/** Brought down by the crash to the end of the write: the file is as long as if it were whole. */
const WHOLE_LENGTH = Number.MAX_SAFE_INTEGER;

/** No sector of a write reached the disk, but the file's new length did. */
export function lengthAlone(rest: TornWrite["rest"]): TornWrite {
  return { sectorBytes: 512, keptSectors: [], rest, fileLength: WHOLE_LENGTH };
}

/** The ways in which a write tears: cut short, cut at each sector, each sector missing. */
export function* tearsOf(write: UnsyncedWrite, sectorSizes: readonly SectorSize[]): Generator<TornWrite> {
  yield lengthAlone("old");
  yield lengthAlone("garbage");
  if (write.position < write.fileLength) yield lengthAlone("zeros");
  yield cutShort(write, sectorSizes[0] ?? 512);
  for (const sectorBytes of sectorSizes) {
    const count = sectorCount(write, sectorBytes);
    if (count > 1) yield* tearsAtSectors(count, sectorBytes);
  }
}

/** Every byte up to the middle is there, and the file ends. */
function cutShort(write: UnsyncedWrite, sectorBytes: SectorSize): TornWrite {
  const keptSectors = upTo(sectorCount(write, sectorBytes));
  return { sectorBytes, keptSectors, rest: "old", fileLength: write.position + (write.length >> 1) };
}

function* tearsAtSectors(count: number, sectorBytes: SectorSize): Generator<TornWrite> {
  const all = upTo(count);
  for (let cut = 1; cut < count; cut++) {
    const keptSectors = all.slice(0, cut);
    yield { sectorBytes, keptSectors, rest: "old" };
    yield { sectorBytes, keptSectors, rest: "zeros", fileLength: WHOLE_LENGTH };
    yield { sectorBytes, keptSectors, rest: "garbage", fileLength: WHOLE_LENGTH };
  }
  for (const missing of all) {
    const keptSectors = all.filter((sector) => sector !== missing);
    yield { sectorBytes, keptSectors, rest: "old", fileLength: WHOLE_LENGTH };
    yield { sectorBytes, keptSectors, rest: "garbage", fileLength: WHOLE_LENGTH };
  }
}

function sectorCount({ position, length }: UnsyncedWrite, size: number): number {
  return Math.floor((position + length - 1) / size) - Math.floor(position / size) + 1;
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
