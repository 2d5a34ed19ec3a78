import type { SimDisk } from "@kaya/io";

/** Ids for the log: unique on a disk and its forks, and the same in each run. */
export function logIdsOf(disk: Pick<SimDisk, "nextOperation">): () => string {
  return () => disk.nextOperation.toString(16).padStart(16, "0");
}
