import type { DirEntry } from "./disk.js";

/** Whether an entry of a directory may be opened. */
export function isFile({ isDirectory, special }: DirEntry): boolean {
  return !isDirectory && special === undefined;
}

/** Whether `Disk.remove` takes it: a file or a symbolic link, of which the link goes and not what it leads to. */
export function isRemovable(entry: DirEntry): boolean {
  return isFile(entry) || entry.special === "a symbolic link";
}
