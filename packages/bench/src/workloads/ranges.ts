import { sampleKeys } from "../data.js";
import { rateOf } from "../measure.js";
import type { ReadWorkload } from "../workload.js";
import { cycle } from "./gets.js";

const RANGE_ENTRIES = 100;
const KEYS = 50_000;

export const ranges: ReadWorkload = {
  name: "ranges",
  rows: [{ id: "ranges/forward", title: `ranges of ${RANGE_ENTRIES}`, unit: "ranges/s", better: "higher" }],
  async run(store, { scale, measure }) {
    const next = cycle(sampleKeys(KEYS, scale.entries));
    let seen = 0;
    let asked = 0;
    const readRange = async () => {
      asked++;
      await store.scan?.({ by: "pages", gte: next(), limit: RANGE_ENTRIES, visit: () => seen++ });
    };
    if (store.scan !== undefined) await measure("ranges/forward", () => rateOf(1, scale, readRange));
    // Only the few ranges at the very end are shorter.
    if (seen < asked * RANGE_ENTRIES * 0.9) throw new Error(`${asked} ranges gave only ${seen} entries`);
  },
};
