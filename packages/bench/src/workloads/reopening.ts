import { entryKey } from "../data.js";
import type { Workload } from "../workload.js";
import { filledStore } from "./filled-store.js";
import { expectHit } from "./gets.js";

/** From a closed store to the first value out of it. The files are in the system's cache. */
export const reopening: Workload = {
  name: "reopening",
  rows: () => [{ id: "reopening/first-get", title: "open, and get one entry", unit: "ms", better: "lower" }],
  runsOn: (system) => system.kind !== "raw" && system.onDisk,
  fixture: filledStore,
  async run({ system, fixtureDir, report }) {
    // What is timed is the store, not the loading of its module.
    await (await system.open(`${fixtureDir}-warm-up`, "relaxed")).close();
    const started = performance.now();
    const store = await system.open(fixtureDir, "relaxed");
    expectHit(await store.get?.(entryKey(0)));
    report("reopening/first-get", performance.now() - started);
    await store.close();
  },
};
