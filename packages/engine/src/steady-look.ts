import { setTimeout as sleep } from "node:timers/promises";
import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { MANIFEST_DIR } from "@kaya/lsm";

/** Beside a writer that does nothing but flushes about every second look is one too many. */
const MOST_LOOKS = 100;
/** From then on it waits a little longer each time: the writer is to get on with something else. */
const PATIENT_LOOKS = 10;
const MOST_WAIT_MS = 20;

/**
 * Looks at a directory that may be open in another process, without its lock. A flush or a compaction meanwhile
 * removes files that were listed and not read yet. So if the directory changed, an error is not damage, and it
 * looks again. It also looks again once if a read failed.
 *
 * @param isDoubtful whether a result may come from such a change as well. Default: only errors may
 * @throws KayaError KAYA_IO if the directory changed during each look; otherwise what `look` throws
 */
export async function lookSteadily<T>(
  disk: Disk,
  look: () => Promise<T>,
  isDoubtful: (seen: T) => boolean = () => false,
): Promise<T> {
  let hasFailed = false;
  for (let looks = 1; ; looks++) {
    const before = await firstFiles(disk);
    const [outcome] = await Promise.allSettled([look()]);
    const isSure =
      outcome.status === "fulfilled" ? !isDoubtful(outcome.value) : !KayaError.is(outcome.reason);
    if (!isSure && (await firstFiles(disk)) !== before) {
      if (looks === MOST_LOOKS) throw neverSteady(disk, outcome);
      if (looks >= PATIENT_LOOKS) await sleep(Math.min(looks - PATIENT_LOOKS, MOST_WAIT_MS));
      continue;
    }
    if (outcome.status === "rejected" && KayaError.is(outcome.reason, "KAYA_IO") && !hasFailed) {
      hasFailed = true;
      continue;
    }
    if (outcome.status === "fulfilled") return outcome.value;
    throw outcome.reason;
  }
}

function neverSteady(disk: Disk, outcome: PromiseSettledResult<unknown>): KayaError {
  return new KayaError(
    "KAYA_IO",
    `${disk.root ?? "the disk"}: another process changed the files during each of ${MOST_LOOKS} looks, so that none of them counts. Try again.`,
    outcome.status === "rejected" ? { cause: outcome.reason } : undefined,
  );
}

/** What flushes and compactions change: the manifest's length, and the segment with which the log begins. */
async function firstFiles(disk: Disk): Promise<string> {
  const manifests = await disk.list(MANIFEST_DIR);
  const segments = await disk.list("wal");
  const first = segments.find(({ path }) => path.endsWith(".wal"));
  return [...manifests.map(({ path, length }) => `${path}:${length}`), first?.path].join(" ");
}
