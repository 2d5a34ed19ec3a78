import { setImmediate, setTimeout } from "node:timers/promises";
import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { TableMeta } from "../manifest/manifest-state.js";
import type { MergeJob } from "./job.js";
import { mergeTables } from "./merge-tables.js";
import { Pace } from "./pace.js";

export interface MergeControl {
  /** Ends the merge: it rejects with KAYA_CLOSED, and removes its files. */
  readonly signal: AbortSignal;
  /** Asked between steps: true makes the merge rest for as long as it worked. */
  readonly shouldRest: () => boolean;
  /** Somebody waits for it: the process must not end meanwhile. */
  readonly keepsProcess: boolean;
  /** Of keys and values, read since the last call. */
  readonly onProgress: (bytes: number) => void;
}

const CLOCK = {
  now: () => performance.now(),
  rest: async (ms: number) => {
    if (ms > 0) await setTimeout(ms);
    else await setImmediate();
  },
};

/** Merges in this thread; others have their turn between the steps. @throws KayaError as the tables and the disk, KAYA_CLOSED */
export async function mergeInLoop(
  disk: Disk,
  job: MergeJob,
  { signal, shouldRest, onProgress }: Omit<MergeControl, "keepsProcess">,
): Promise<TableMeta[]> {
  const pace = new Pace(shouldRest, CLOCK);
  const merge = mergeTables(disk, job);
  try {
    for (;;) {
      const step = await merge.next();
      if (step.done === true) return step.value;
      if (signal.aborted) throw new KayaError("KAYA_CLOSED", "the tree was closed while it merged tables");
      onProgress(step.value.bytes);
      await pace.step();
    }
  } finally {
    await merge.return([]); // if it was left early: removes its files
  }
}
