import type { SimDisk } from "@kaya/io";

/** Ids for the log: no two alike on a disk and what is forked from it, and the same in each run. */
export function logIdsOf(disk: Pick<SimDisk, "nextOperation">): () => string {
  return () => disk.nextOperation.toString(16).padStart(16, "0");
}
