import { statfs } from "node:fs/promises";
import { formatBytes, formatCount } from "../units.js";
import { type Finding, findingsOf } from "./finding.js";

const { ok, warning, problem } = findingsOf("space");
const MiB = 1024 * 1024;

/** The log, and a table that is being written. */
const LEAST_BYTES = 64 * MiB;
const FEW_INODES = 1000;

export interface Space {
  readonly freeBytes: number;
  /** Files that may be made; undefined where the file system has no such bound. */
  readonly freeFiles: number | undefined;
}

export async function spaceOf(path: string): Promise<Space> {
  const { bavail, bsize, files, ffree } = await statfs(path);
  return { freeBytes: bavail * bsize, freeFiles: files > 0 ? ffree : undefined };
}

/** @param usedBytes of the data directory */
export function judgeSpace({ freeBytes, freeFiles }: Space, usedBytes: number): Finding[] {
  const values = { freeBytes, usedBytes, ...(freeFiles !== undefined && { freeFiles }) };
  const sizes = `${formatBytes(freeBytes)} free, the data takes ${formatBytes(usedBytes)}`;
  // Writing at full speed has half as much again, and the log, as operations.md says.
  const wanted = Math.round(usedBytes / 2) + 256 * MiB;
  const found: Finding[] = [];
  if (freeBytes < LEAST_BYTES)
    found.push(problem(sizes, "Writes will be refused with KAYA_DISK_FULL. Free some space.", values));
  else if (freeBytes < wanted)
    found.push(
      warning(
        sizes,
        `Compaction writes merged tables beside the old ones: keep ${formatBytes(wanted)} free. See "The disk is full" in docs/operations.md.`,
        values,
      ),
    );
  else found.push(ok(sizes, undefined, values));
  if (freeFiles !== undefined && freeFiles < FEW_INODES) {
    const say = freeFiles === 0 ? problem : warning;
    found.push(
      say(
        `${formatCount(freeFiles)} more files can be made there (inodes)`,
        "Remove files from that file system.",
      ),
    );
  }
  return found;
}
