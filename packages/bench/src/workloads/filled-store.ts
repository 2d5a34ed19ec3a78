import { load } from "../load.js";
import type { Fixture } from "../workload.js";

/** A store with `scale.entries` entries. What lives in memory alone is filled by whoever reads it. */
export const filledStore: Fixture = {
  name: "filled-store",
  async fill({ system, scale, fixtureDir }) {
    if (!system.onDisk) return;
    const store = await system.open(fixtureDir, "relaxed");
    await load(store, 0, scale.entries);
    await store.close();
  },
};
