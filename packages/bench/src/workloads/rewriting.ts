import { setTimeout as sleep } from "node:timers/promises";
import { entryKey, entryValue, KEY_BYTES, sampleIndex, VALUE_BYTES } from "../data.js";
import { bytesBelow } from "../disk-use.js";
import { load } from "../load.js";
import type { Scale } from "../scale.js";
import type { Entry, Store } from "../system.js";
import type { Workload } from "../workload.js";
import { sizeName } from "./growth.js";

const TIMES = 10;
const BATCH_ENTRIES = 1000;
const BATCHES_A_LOOK = 10;
const LOOK_MS = 500;
/** So many looks without a change are quiet. */
const QUIET_LOOKS = 10;
/** A store that is not quiet after this is measured as it is. */
const MOST_LOOKS = 240;

/** All keys written ten times over, in random order: disk use at its peak, and once the store is idle. */
export const rewriting: Workload = {
  name: "rewriting",
  rows: (scale) => {
    const keys = keysOf(scale);
    const of = `${sizeName(TIMES * keys)} overwrites of ${sizeName(keys)} keys`;
    return [
      { id: rowId(keys, "disk"), title: `${of}, disk when quiet`, unit: "of live", better: "lower" },
      { id: rowId(keys, "disk-peak"), title: `${of}, disk at its peak`, unit: "of live", better: "lower" },
    ];
  },
  runsOn: (system) => system.kind !== "raw" && system.onDisk,
  async run({ system, scale, dir, report }) {
    const keys = keysOf(scale);
    const live = keys * (KEY_BYTES + VALUE_BYTES);
    const store = await system.open(dir, "relaxed");
    await load(store, 0, keys);
    const peak = await rewrite(store, keys, dir);
    await store.close();
    // A reopening gives the store time for work that it put off until then.
    const again = await system.open(dir, "relaxed");
    report(rowId(keys, "disk"), (await quietBytes(dir)) / live);
    report(rowId(keys, "disk-peak"), peak / live);
    await again.close();
  },
};

/** A log and a level that is not full weigh more where there is little data: each size is a figure of its own. */
function rowId(keys: number, figure: string): string {
  return `rewriting/${sizeName(TIMES * keys)}-${figure}`;
}

function keysOf({ overwrites }: Scale): number {
  return Math.ceil(overwrites / TIMES);
}

/** @returns bytes on the disk at their peak */
async function rewrite(store: Store, keys: number, dir: string): Promise<number> {
  let peak = 0;
  for (let from = 0, batches = 0; from < TIMES * keys; from += BATCH_ENTRIES, batches++) {
    await store.batch(newValues(from, keys));
    if (batches % BATCHES_A_LOOK === 0) peak = Math.max(peak, bytesBelow(dir));
  }
  return peak;
}

function newValues(from: number, keys: number): Entry[] {
  return Array.from({ length: BATCH_ENTRIES }, (_, i) => ({
    key: entryKey(sampleIndex(from + i, keys)),
    value: entryValue(from + i),
  }));
}

/** Bytes on the disk when they have not changed for some seconds. */
async function quietBytes(dir: string): Promise<number> {
  let bytes = bytesBelow(dir);
  for (let looks = 0, same = 0; same < QUIET_LOOKS && looks < MOST_LOOKS; looks++) {
    await sleep(LOOK_MS);
    const now = bytesBelow(dir);
    same = now === bytes ? same + 1 : 0;
    bytes = now;
  }
  return bytes;
}
