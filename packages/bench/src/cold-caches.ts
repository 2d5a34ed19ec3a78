import { execFile } from "node:child_process";
import { constants, writeFile } from "node:fs/promises";
import { promisify } from "node:util";

/**
 * Writes everything to the disk and empties the system's cache of files, for the whole machine.
 * @returns the reason if that is not permitted here; undefined if it is done
 */
export async function emptyFileCache(): Promise<string | undefined> {
  try {
    await promisify(execFile)("sync"); // unwritten data stays in the cache
    // Not even root may open it for reading.
    await writeFile("/proc/sys/vm/drop_caches", "3", { flag: constants.O_WRONLY });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
