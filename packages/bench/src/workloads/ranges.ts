import { sampleKeys } from "../data.js";
import { rateOf } from "../measure.js";
import type { Store } from "../system.js";
import type { Job, ReadWorkload } from "../workload.js";
import { cycle } from "./gets.js";

const RANGE_ENTRIES = 100;
const KEYS = 50_000;

export const ranges: ReadWorkload = {
  name: "ranges",
  rows: [
    { id: "ranges/forward", title: `ranges of ${RANGE_ENTRIES}`, unit: "ranges/s", better: "higher" },
    {
      id: "ranges/reverse",
      title: `ranges of ${RANGE_ENTRIES}, reverse`,
      unit: "ranges/s",
      better: "higher",
    },
  ],
  async run(store, job) {
    if (store.scan === undefined) return;
    if (job.wants("ranges/forward")) await measureRanges(store, job, "ranges/forward", false);
    if (job.wants("ranges/reverse")) await measureRanges(store, job, "ranges/reverse", true);
  },
};

async function measureRanges(
  store: Store,
  { scale, measure }: Job,
  row: string,
  reverse: boolean,
): Promise<void> {
  const next = cycle(sampleKeys(KEYS, scale.entries));
  let seen = 0;
  let asked = 0;
  const readRange = async () => {
    asked++;
    await store.scan?.({ by: "pages", from: next(), reverse, limit: RANGE_ENTRIES, visit: () => seen++ });
  };
  await measure(row, () => rateOf(1, scale, readRange));
  // Only the few ranges at the very end are shorter.
  if (seen < asked * RANGE_ENTRIES * 0.9) throw new Error(`${asked} ranges gave only ${seen} entries`);
}
