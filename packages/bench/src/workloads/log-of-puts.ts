import { Engine } from "@kaya/engine";
import { NodeDisk } from "@kaya/io";
import { WalWriter } from "@kaya/wal";
import { entryKey, entryValue } from "../data.js";
import type { Fixture } from "../workload.js";

/** Below what makes a writer's memory grow. */
const APPENDS_A_WAIT = 10_000;

/** A log of `scale.entries` records, a put each, and beside it a directory with a checkpoint of the same. */
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
    // Who opens a log that no engine closed makes its tail durable first (R5): only the first round would do that.
    const engine = await openWithoutCheckpoints(fixtureDir);
    await engine.backup(checkpointOf(fixtureDir));
    await engine.close();
  },
};

/** Where the fixture has the same entries as a checkpoint. */
export function checkpointOf(fixtureDir: string): string {
  return `${fixtureDir}-checkpoint`;
}

/** A checkpoint would take the log away that later rounds replay. */
export function openWithoutCheckpoints(dataDir: string): Promise<Engine> {
  return Engine.open({ dataDir, checkpoint: { auto: false } });
}
