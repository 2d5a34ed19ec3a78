import { load } from "../load.js";
import { perSecond } from "../measure.js";
import type { Workload } from "../workload.js";
import { logOfPuts, openOverLog } from "./log-of-puts.js";

/** `Engine.open` over a log of puts, beside the same entries coming in as relaxed batches. */
export const opening: Workload = {
  name: "opening",
  rows: () => [
    { id: "opening/replay", title: "open, replaying the log", unit: "records/s", better: "higher" },
    { id: "opening/bulk-load", title: "relaxed batches of 1,000", unit: "entries/s", better: "higher" },
  ],
  runsOn: (system) => system.kind === "kaya",
  fixture: logOfPuts,
  async run({ system, scale, dir, fixtureDir, report }) {
    const started = performance.now();
    const engine = await openOverLog(fixtureDir);
    report("opening/replay", perSecond(scale.entries, started));
    await engine.close();

    const store = await system.open(dir, "relaxed");
    const startedLoading = performance.now();
    await load(store, 0, scale.entries);
    report("opening/bulk-load", perSecond(scale.entries, startedLoading));
    await store.close();
  },
};
