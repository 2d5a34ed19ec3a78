import { NodeDisk } from "@kaya/io";
import { WalWriter } from "@kaya/wal";
import { entryKey, entryValue } from "../data.js";
import { openEngine } from "../systems/kaya-engine.js";
import type { Fixture } from "../workload.js";

/** Too few to let a writer's memory grow. */
const APPENDS_A_WAIT = 10_000;

/** A log of `scale.entries` records, a put each. */
export const logOfPuts: Fixture = {
  name: "log-of-puts",
  async fill({ scale, fixtureDir }) {
    const writer = await WalWriter.open({}, new NodeDisk(fixtureDir));
    let last: Promise<unknown> = Promise.resolve();
    for (let i = 0; i < scale.entries; i++) {
      // Records settle in order: the last one stands for all.
      last = writer.append({ type: "put", key: entryKey(i), value: entryValue(i) }, "relaxed");
      if (i % APPENDS_A_WAIT === 0) await last;
    }
    await last;
    await writer.close();
    // The first opening of a log that no engine closed makes its tail durable (R5): only the first round would pay for it.
    await (await openOverLog(fixtureDir)).close();
  },
};

/** A flush would remove the log that later rounds replay. */
export function openOverLog(dataDir: string) {
  return openEngine(dataDir, { durability: "durable", keepsInMemtable: true });
}
