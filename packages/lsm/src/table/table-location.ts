import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { KayaError } from "@kaya/core";
import { type Disk, NodeDisk } from "@kaya/io";

/** A table of the real file system. */
export interface TableLocation {
  /** The disk that reads it. */
  readonly disk: Disk;
  /** The path of the file, relative to the disk's root. */
  readonly path: string;
  /** The name of the file. */
  readonly name: string;
  /** Bytes of the file. */
  readonly length: number;
}

const SST_DIR = "sst";
const TABLE_NAME = /\.sst$/;

/**
 * The tables that a path stands for: one file, whatever its name, or the `.sst` files of a directory or of its `sst/`, in the order of their
 * names.
 * @throws KayaError KAYA_NOT_FOUND, KAYA_IO
 */
export async function locateTables(path: string): Promise<readonly TableLocation[]> {
  const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR")
      throw new KayaError("KAYA_NOT_FOUND", `${path} is not there: give a table, or a directory with some`, {
        cause,
      });
    throw new KayaError("KAYA_IO", `${path} cannot be looked at: ${cause.message}`, { cause });
  });
  if (!info.isDirectory()) {
    const name = basename(path);
    return [{ disk: new NodeDisk(dirname(path)), path: name, name, length: info.size }];
  }
  const inner = await stat(join(path, SST_DIR)).catch(() => undefined);
  const dir = inner?.isDirectory() === true ? join(path, SST_DIR) : path;
  const names = (await readdir(dir)).filter((name) => TABLE_NAME.test(name)).sort();
  const disk = new NodeDisk(dir);
  return Promise.all(
    names.map(async (name) => ({ disk, path: name, name, length: (await stat(join(dir, name))).size })),
  );
}
