import { entriesOf } from "../load.js";
import { rateOf } from "../measure.js";
import type { Scale } from "../scale.js";
import type { Store } from "../system.js";
import { encodeBatch, RawLoop } from "../systems/raw-loop.js";
import type { Workload } from "../workload.js";

const BATCH_ENTRIES = 100;
const IN_FLIGHT = 16;

export const durableBatches: Workload = {
  name: "durable-batches",
  rows: () => [
    {
      id: "durable-batches/16",
      title: `durable batches of ${BATCH_ENTRIES}, ${IN_FLIGHT} in flight`,
      unit: "puts/s",
      better: "higher",
    },
  ],
  runsOn: (system) => system.setup.durable !== undefined,
  async run({ system, scale, dir, report }) {
    const store = await system.open(dir, "durable");
    report("durable-batches/16", BATCH_ENTRIES * (await batchesPerSecond(store, scale)));
    await store.close();
  },
};

async function batchesPerSecond(store: Store, scale: Scale): Promise<number> {
  if (store instanceof RawLoop) {
    const batch = encodeBatch(entriesOf(0, BATCH_ENTRIES));
    const bytes = Buffer.concat(Array.from({ length: IN_FLIGHT }, () => batch));
    return IN_FLIGHT * (await rateOf(1, scale, () => store.append(bytes)));
  }
  let index = 0;
  return rateOf(IN_FLIGHT, scale, () => {
    const from = index;
    index += BATCH_ENTRIES;
    return store.batch(entriesOf(from, index));
  });
}
