import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, KayaError } from "@kaya/core";
import { type Disk, NodeDisk } from "@kaya/io";
import { listSegments, WAL_DIR } from "./segments.js";

/** A segment of a real file system. */
export interface SegmentLocation {
  /** The disk that reads it. */
  readonly disk: Disk;
  /** The path of the file, relative to the disk's root. */
  readonly path: string;
  /** The name of the file. */
  readonly name: string;
  /** Bytes of the file. */
  readonly length: number;
}

/**
 * The segments that a path of the real file system stands for: one file, whatever its name, or those in a directory (a
 * data directory or its `wal/`), in order.
 * @throws KayaError KAYA_NOT_FOUND, KAYA_IO
 */
export async function locateSegments(path: string): Promise<readonly SegmentLocation[]> {
  if (typeof path !== "string" || path.includes("\0"))
    throw new KayaError("KAYA_INVALID_ARGUMENT", `${describe(path)} is no path`);
  const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") {
      throw new KayaError(
        "KAYA_NOT_FOUND",
        `${path} is not there: give a segment, a data directory or its wal/`,
        { cause },
      );
    }
    throw new KayaError("KAYA_IO", `${path} cannot be looked at: ${cause.message}`, { cause });
  });
  if (!info.isDirectory()) {
    const file = await realpath(path); // a disk opens no links, but the user may name one
    return [
      {
        disk: new NodeDisk(dirname(file)),
        path: basename(file),
        name: basename(path),
        length: info.size,
      },
    ];
  }
  const hasWalDir = await stat(join(path, WAL_DIR)).then(
    (inner) => inner.isDirectory(),
    () => false,
  );
  const disk = new NodeDisk(hasWalDir ? join(path, WAL_DIR) : path);
  const { segments } = await listSegments(disk, "");
  return segments.map((segment) => ({
    disk,
    path: segment.path,
    name: segment.path,
    length: segment.length,
  }));
}
