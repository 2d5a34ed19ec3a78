import { KEY_BYTES, VALUE_BYTES } from "../data.js";
import { perSecond } from "../measure.js";
import type { Scale } from "../scale.js";
import type { ScanRequest, Store } from "../system.js";
import type { ReadWorkload } from "../workload.js";

/** Enough for the code to be compiled; a whole scan of a slow store takes many seconds. */
const WARM_UP_ENTRIES = 50_000;

const SCANS: Record<string, Omit<ScanRequest, "visit">> = {
  "full-scan/pages": { by: "pages" },
  "full-scan/pages-reverse": { by: "pages", reverse: true },
  "full-scan/entries": { by: "entries" },
};

export const fullScan: ReadWorkload = {
  name: "full-scan",
  rows: [
    { id: "full-scan/pages", title: "full scan by pages", unit: "entries/s", better: "higher" },
    {
      id: "full-scan/pages-reverse",
      title: "full scan by pages, reverse",
      unit: "entries/s",
      better: "higher",
    },
    { id: "full-scan/entries", title: "full scan, entry by entry", unit: "entries/s", better: "higher" },
  ],
  async run(store, { scale, wants, measure }) {
    if (store.scan === undefined) return;
    for (const [row, request] of Object.entries(SCANS)) {
      if (!wants(row)) continue;
      await store.scan({ ...request, limit: WARM_UP_ENTRIES, visit: () => undefined });
      await measure(row, () => scanFor(store, request, scale));
    }
  },
};

/** Whole scans, at least one, until the time is over. @returns entries per second */
async function scanFor(
  store: Store,
  request: Omit<ScanRequest, "visit">,
  { entries, measureMs }: Scale,
): Promise<number> {
  const started = performance.now();
  let seen = 0;
  let scans = 0;
  const visit = (key: Uint8Array, value: Uint8Array) => {
    if (key.length === KEY_BYTES && value.length === VALUE_BYTES) seen++;
  };
  do {
    await store.scan?.({ ...request, visit });
    scans++;
  } while (performance.now() - started < measureMs);
  if (seen !== scans * entries) throw new Error(`${scans} scans of ${entries} entries saw ${seen}`);
  return perSecond(seen, started);
}
