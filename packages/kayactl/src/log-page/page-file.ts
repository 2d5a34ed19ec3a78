import { lstat, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { NodeDisk } from "@kaya/io";
import type { SegmentLocation } from "@kaya/wal";
import { invalid } from "../bytes.js";
import { fileError } from "../file-error.js";
import { isOfDataDirectory } from "../inspect/data-file.js";
import { GENERATOR } from "./html.js";

/** A page says in its first bytes that it is one. */
const HEAD_BYTES = 1024;

/**
 * A page that was made before is made anew; any other file only with --force; what is looked at never, nor a file of any data directory, by
 * whatever links.
 * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_IO
 */
export async function checkTarget(
  file: string,
  locations: readonly SegmentLocation[],
  isForced: boolean,
): Promise<void> {
  await assertReplaceable(file);
  const target = await realpath(file).catch(() => undefined);
  // Where nothing is yet, a new file among those of a data directory would be taken for one of them.
  const place = target ?? join(await realpath(dirname(file)).catch(() => dirname(file)), basename(file));
  if (await isOfDataDirectory(place))
    throw invalid(`--html would write into a data directory: ${place} has the name of one of its files`);
  if (target === undefined) return;
  for (const { disk, path } of locations) {
    if (disk instanceof NodeDisk && (await realpath(join(disk.root, path))) === target)
      throw invalid(`--html would write over ${file}, which is what is looked at`);
  }
  if (!isForced && !(await isPage(target)))
    throw invalid(`${file} is there, and no page that kayactl wrote: give another name, or --force`);
}

/** The page takes the place of what has its name: of a file, or of what a link leads to. */
async function assertReplaceable(file: string): Promise<void> {
  const named = await lstat(file).catch(() => undefined);
  if (named === undefined) return;
  const found = named.isSymbolicLink() ? await stat(file).catch(() => undefined) : named;
  if (found === undefined) throw invalid(`${file} is a link that leads nowhere: give another name`);
  if (found.isFile()) return;
  throw invalid(`${file} is no file that a page could take the place of: give another name`);
}

async function isPage(path: string): Promise<boolean> {
  const disk = new NodeDisk(dirname(path));
  const file = await disk.open(basename(path), { readOnly: true });
  try {
    const head = new Uint8Array(HEAD_BYTES);
    const length = await file.readAt(0, head);
    return Buffer.from(head.subarray(0, length)).includes(GENERATOR);
  } finally {
    await file.close();
  }
}

/**
 * Writes the page beside its place and then renames it: nobody sees half of one.
 * @throws KayaError KAYA_DISK_FULL, KAYA_IO
 */
export async function writePage(file: string, html: Uint8Array): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${process.pid}.tmp`);
  const handle = await open(temporary, "wx").catch((cause: unknown) => {
    throw fileError(file, cause);
  });
  try {
    try {
      await handle.writeFile(html);
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw fileError(file, cause);
  }
}
