import { entryKey } from "../data.js";
import { perSecond } from "../measure.js";
import type { Workload } from "../workload.js";
import { expectHit } from "./gets.js";
import { checkpointOf, logOfPuts, openWithoutCheckpoints } from "./log-of-puts.js";

/** `Engine.open` over a checkpoint of the entries that `opening` replays from the log; in a process of its own, as that is. */
export const openingCheckpoint: Workload = {
  name: "opening-checkpoint",
  rows: () => [
    {
      id: "opening-checkpoint/entries",
      title: "open, from a checkpoint of the same",
      unit: "entries/s",
      better: "higher",
    },
    {
      id: "opening-checkpoint/first-get",
      title: "open from a checkpoint, and get one entry",
      unit: "ms",
      better: "lower",
    },
  ],
  runsOn: (system) => system.kind === "kaya",
  fixture: logOfPuts,
  async run({ scale: { entries }, fixtureDir, report }) {
    const dataDir = checkpointOf(fixtureDir);
    const started = performance.now();
    const engine = await openWithoutCheckpoints(dataDir);
    report("opening-checkpoint/entries", perSecond(entries, started));
    expectHit(await engine.get(entryKey(0)));
    report("opening-checkpoint/first-get", performance.now() - started);
    const found = engine.stats().entries;
    if (found !== entries) throw new Error(`${dataDir} has ${found} entries of ${entries}`);
    await engine.close();
  },
};
