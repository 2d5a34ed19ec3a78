import { readdirSync, readlinkSync } from "node:fs";
import { sep } from "node:path";

const OWN_HANDLES = "/proc/self/fd";

/**
 * The files below a directory that this process has open, by their paths; also those that were removed since, which take space until
 * they are closed. None where the system does not tell.
 * @param {string} dir
 * @returns {string[]}
 */
export function openFilesBelow(dir) {
  return openHandles().filter((path) => path.startsWith(dir + sep));
}

/** All that this process has open: files, pipes and sockets. */
export function openHandles() {
  if (process.platform !== "linux") return [];
  return readdirSync(OWN_HANDLES).flatMap((handle) => {
    try {
      return [readlinkSync(`${OWN_HANDLES}/${handle}`)];
    } catch {
      return []; // the one with which they are listed
    }
  });
}
