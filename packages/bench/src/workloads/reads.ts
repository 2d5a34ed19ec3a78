import { load } from "../load.js";
import { collectGarbage } from "../memory.js";
import type { StoreMemory } from "../system.js";
import type { ReadWorkload, Workload } from "../workload.js";
import { filledStore } from "./filled-store.js";
import { fullScan } from "./full-scan.js";
import { gets } from "./gets.js";
import { ranges } from "./ranges.js";

export const READ_PARTS: readonly ReadWorkload[] = [gets, fullScan, ranges];

/** Every store may keep all that it has read: twice the keys and values of 1M entries. */
export const ROOM_FOR_ALL: StoreMemory = { cacheBytes: 256 << 20, writeBufferBytes: 32 << 20 };

/** All reads of a filled store: one process fills or opens it, and measures them one after the other. */
export const reads: Workload = {
  name: "reads",
  rows: () => READ_PARTS.flatMap((part) => part.rows),
  runsOn: (system) => system.kind !== "raw",
  fixture: filledStore,
  async run(job) {
    const { system, scale, dir, fixtureDir } = job;
    const store = await system.open(system.onDisk ? fixtureDir : dir, "relaxed", ROOM_FOR_ALL);
    if (!system.onDisk) await load(store, 0, scale.entries);
    // Reads must not pay for the garbage of filling or opening.
    await collectGarbage();
    for (const part of READ_PARTS) {
      if (part.rows.some((row) => job.wants(row.id))) await part.run(store, job);
    }
    await store.close();
  },
};
