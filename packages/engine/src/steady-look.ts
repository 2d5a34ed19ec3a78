import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { listCheckpoints } from "./checkpoint/checkpoint-files.js";

const MOST_LOOKS = 10;

/**
 * Looks at a directory that may be open, without its lock. A checkpoint that is made meanwhile takes away what was listed and not read
 * yet: so where one was, an error is no damage, and it looks again. So it does once where a read failed: an opening may have put a
 * new file in the place of the one that was being read (R5).
 * @param isDoubtful whether what was seen may come from that as well. Default: only errors may
 */
export async function lookSteadily<T>(
  disk: Disk,
  look: () => Promise<T>,
  isDoubtful: (seen: T) => boolean = () => false,
): Promise<T> {
  let hasFailed = false;
  for (let left = MOST_LOOKS; ; left--) {
    const before = await firstFiles(disk);
    const [outcome] = await Promise.allSettled([look()]);
    const isSure =
      outcome.status === "fulfilled" ? !isDoubtful(outcome.value) : !KayaError.is(outcome.reason);
    if (!isSure && left > 1 && (await firstFiles(disk)) !== before) continue;
    if (outcome.status === "rejected" && KayaError.is(outcome.reason, "KAYA_IO") && !hasFailed) {
      hasFailed = true;
      continue;
    }
    if (outcome.status === "fulfilled") return outcome.value;
    throw outcome.reason;
  }
}

/** What a checkpoint changes: which checkpoints there are, older ones too, and with which segment the log begins. */
async function firstFiles(disk: Disk): Promise<string> {
  const { older, newest } = await listCheckpoints(disk);
  const segments = await disk.list("wal");
  const first = segments.find(({ path }) => path.endsWith(".wal"));
  return [...older, newest, first].map((file) => file?.path).join(" ");
}
