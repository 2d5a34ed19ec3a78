import { KayaError } from "@kaya/core";
import { assertDisk, type DirEntry, type Disk, isFile, isRemovable } from "@kaya/io";

/** The subdirectory of the log in a data directory: `wal`. */
export const WAL_DIR = "wal";
export const QUARANTINE_DIR = "wal/quarantine";

/** Ends the names of unfinished files; after a crash they are useless. */
export const TEMPORARY_SUFFIX = ".tmp";

/** No configuration writes a longer segment. */
export const MOST_SEGMENT_BYTES = 2 ** 31;

/** Holds the log's id. */
export const LOG_ID_PATH = "wal/log-id";

const LOG_ID_NAME = "log-id";
const SEGMENT_NAME = /^([0-9a-f]{16})\.wal$/;
const TEMPORARY_NAME = /^([0-9a-f]{16}\.wal|log-id)\.tmp$/;

/** A segment of the log on a disk. */
export interface SegmentFile {
  /** The id of the segment, from its name: 1, 2, 3 … */
  readonly id: number;
  /** The path of the file, relative to the disk's root. */
  readonly path: string;
  /** Bytes of the file. */
  readonly length: number;
}

/** The files of a log's directory, told apart. */
export interface WalDirectory {
  /** The segments, in the order of their ids. */
  readonly segments: readonly SegmentFile[];
  /** Paths of files that are neither segments nor others of the log. */
  readonly unknown: readonly string[];
  /** Paths of copies that a crash left unfinished. */
  readonly leftovers: readonly string[];
  /** True if the file with the log's id is there. */
  readonly hasLogId: boolean;
}

export function segmentName(id: number): string {
  return `${id.toString(16).padStart(16, "0")}.wal`;
}

export function segmentPath(id: number): string {
  return `${WAL_DIR}/${segmentName(id)}`;
}

/** The id that a file name stands for; undefined where it is not a segment's name. */
function parseSegmentName(name: string): number | undefined {
  const digits = SEGMENT_NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

/**
 * What is in `dir`, told apart.
 * @throws KayaError KAYA_CORRUPTION where a segment's id is out of range, or something else than a file has its name: there may be
 *   records, so it is not ignored; KAYA_INVALID_ARGUMENT where `disk` is none; KAYA_IO.
 */
export async function listSegments(disk: Disk, dir: string = WAL_DIR): Promise<WalDirectory> {
  assertDisk(disk);
  const segments: SegmentFile[] = [];
  const unknown: string[] = [];
  const leftovers: string[] = [];
  let hasLogId = false;
  for (const entry of await disk.list(dir)) {
    const name = entry.path.slice(entry.path.lastIndexOf("/") + 1);
    const id = parseSegmentName(name);
    if (id !== undefined && !isFile(entry)) throw notAs(entry, "a segment");
    if (entry.path === QUARANTINE_DIR && !entry.isDirectory) throw notAs(entry, "a directory");
    if (id !== undefined)
      segments.push({ id: checkId(id, entry.path), path: entry.path, length: entry.length });
    else if (!entry.isDirectory && name === LOG_ID_NAME) hasLogId = true;
    else if (isRemovable(entry) && TEMPORARY_NAME.test(name)) leftovers.push(entry.path);
    else if (entry.path !== QUARANTINE_DIR) unknown.push(entry.path);
  }
  // The disk lists by name, and sixteen hex digits sort as the numbers that they are.
  return { segments, unknown, leftovers, hasLogId };
}

function notAs({ path, isDirectory, special }: DirEntry, what: string): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `${path} is ${isDirectory ? "a directory" : (special ?? "a file")} where ${what} must be. Nothing was changed. Move it away.`,
  );
}

function checkId(id: number, path: string): number {
  if (id >= 1 && id <= Number.MAX_SAFE_INTEGER) return id;
  throw new KayaError(
    "KAYA_CORRUPTION",
    `${path} is named like a segment, but ids go from 1 to 2^53 - 1. Nothing was changed. Move the file away if it does not belong here.`,
  );
}
