import { join } from "node:path";
import type { Workload } from "../workload.js";
import { putsPerSecond } from "./puts.js";

/** A power cut loses none of what was acknowledged. */
export const durablePuts: Workload = {
  name: "durable-puts",
  rows: (scale) =>
    scale.durableInFlight.map((inFlight) => ({
      id: `durable-puts/${inFlight}`,
      title: `durable puts, ${inFlight} in flight`,
      unit: "puts/s",
      better: "higher",
    })),
  runsOn: (system) => system.setup.durable !== undefined,
  async run({ system, scale, dir, wants, report }) {
    for (const inFlight of scale.durableInFlight) {
      const row = `durable-puts/${inFlight}`;
      if (!wants(row)) continue;
      const store = await system.open(join(dir, `${inFlight}`), "durable");
      report(row, await putsPerSecond(store, inFlight, scale));
      await store.close();
    }
  },
};
