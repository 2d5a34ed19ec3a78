import type { Engine } from "@kaya/engine";
import { entryKey, entryValue } from "../data.js";
import { latenciesWhile, percentile } from "../latencies.js";
import { entriesOf } from "../load.js";
import { LoopWatch } from "../loop-watch.js";
import type { Scale } from "../scale.js";
import type { Workload } from "../workload.js";
import { openWithoutCheckpoints } from "./log-of-puts.js";

const IN_FLIGHT = 16;
const BATCH_ENTRIES = 1000;
const P99 = 0.99;

/** Durable puts over `scale.entries` entries, in turn with and without a checkpoint of them that is written meanwhile. */
export const checkpointing: Workload = {
  name: "checkpointing",
  rows: () => {
    const puts = `durable puts, ${IN_FLIGHT} in flight`;
    return [
      { id: "checkpointing/p99-without", title: `${puts}, 99th percentile`, unit: "ms", better: "lower" },
      { id: "checkpointing/p99-with", title: `${puts}, beside a checkpoint`, unit: "ms", better: "lower" },
      { id: "checkpointing/pause-without", title: `${puts}, longest pause`, unit: "ms", better: "lower" },
      {
        id: "checkpointing/pause-with",
        title: `${puts}, longest pause beside a checkpoint`,
        unit: "ms",
        better: "lower",
      },
    ];
  },
  runsOn: (system) => system.kind === "kaya",
  async run({ scale, dir, report }) {
    const engine = await openWithoutCheckpoints(dir);
    await fill(engine, scale.entries);
    const { beside, alone } = await inTurn(engine, scale);
    report("checkpointing/p99-without", percentile(alone.latencies, P99));
    report("checkpointing/p99-with", percentile(beside.latencies, P99));
    report("checkpointing/pause-without", alone.pause);
    report("checkpointing/pause-with", beside.pause);
    await engine.close();
  },
};

async function fill(engine: Engine, entries: number): Promise<void> {
  for (let from = 0; from < entries; from += BATCH_ENTRIES) {
    const batch = entriesOf(from, Math.min(from + BATCH_ENTRIES, entries));
    await engine.batch(
      batch.map((entry) => ({ type: "put", ...entry })),
      { durability: "relaxed" },
    );
  }
  await engine.sync();
}

/** Puts as long without as the checkpoint before took, until both have had their time. */
async function inTurn(engine: Engine, { entries, warmUpMs, measureMs }: Scale) {
  let index = 0;
  const put = () => {
    index = (index + 1) % entries;
    return engine.put(entryKey(index), entryValue(index + 1));
  };
  const putFor = (ms: number) => {
    const end = performance.now() + ms;
    return latenciesWhile(() => performance.now() < end, IN_FLIGHT, put);
  };
  const [beside, alone] = [new Watched(), new Watched()];
  await putFor(warmUpMs);
  while (beside.ms < measureMs) {
    await beside.during(() => putBesideCheckpoint(engine, put));
    await alone.during(() => putFor(beside.ms - alone.ms));
  }
  return { beside, alone };
}

/** All latencies, and the longest pause of the event loop, while something was done. */
class Watched {
  readonly latencies: number[] = [];
  pause = 0;
  ms = 0;

  async during(work: () => Promise<number[]>): Promise<void> {
    const started = performance.now();
    const watch = new LoopWatch();
    for (const latency of await work()) this.latencies.push(latency);
    this.pause = Math.max(this.pause, watch.stop());
    this.ms += performance.now() - started;
  }
}

async function putBesideCheckpoint(engine: Engine, put: () => Promise<unknown>): Promise<number[]> {
  let isRunning = true;
  const checkpoint = engine.checkpoint().finally(() => {
    isRunning = false;
  });
  const latencies = await latenciesWhile(() => isRunning, IN_FLIGHT, put);
  await checkpoint;
  return latencies;
}
