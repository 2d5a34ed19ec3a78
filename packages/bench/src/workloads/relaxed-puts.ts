import { join } from "node:path";
import type { Workload } from "../workload.js";
import { putsPerSecond } from "./puts.js";

const IN_FLIGHT = [1, 256];

/** The end of the process loses none of what was acknowledged; a power cut may. */
export const relaxedPuts: Workload = {
  name: "relaxed-puts",
  rows: () =>
    IN_FLIGHT.map((inFlight) => ({
      id: `relaxed-puts/${inFlight}`,
      title: `relaxed puts, ${inFlight} in flight`,
      unit: "puts/s",
      better: "higher",
    })),
  runsOn: () => true,
  async run({ system, scale, dir, wants, report }) {
    for (const inFlight of IN_FLIGHT) {
      const row = `relaxed-puts/${inFlight}`;
      if (!wants(row)) continue;
      const store = await system.open(join(dir, `${inFlight}`), "relaxed");
      report(row, await putsPerSecond(store, inFlight, scale));
      await store.close();
    }
  },
};
