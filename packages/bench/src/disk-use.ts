import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Bytes of all files below a directory, counted in one turn of the event loop. */
export function bytesBelow(dir: string): number {
  let bytes = 0;
  for (const entry of readdirSync(dir, { withFileTypes: true, recursive: true })) {
    // The thread pool may be about to remove it.
    if (entry.isFile())
      bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}
