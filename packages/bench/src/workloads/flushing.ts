import type { Engine } from "@kaya/engine";
import { entryKey, entryValue } from "../data.js";
import { latenciesWhile, percentile } from "../latencies.js";
import { entriesOf } from "../load.js";
import { LoopWatch } from "../loop-watch.js";
import type { Scale } from "../scale.js";
import { flushAndCompact, openEngine } from "../systems/kaya-engine.js";
import type { Workload } from "../workload.js";

const IN_FLIGHT = 16;
const BATCH_ENTRIES = 1000;
const P99 = 0.99;

/** Durable puts over `scale.entries` entries, in turn with and without a flush and a compaction of all of them meanwhile. */
export const flushing: Workload = {
  name: "flushing",
  rows: () => {
    const puts = `durable puts, ${IN_FLIGHT} in flight`;
    return [
      { id: "flushing/p99-without", title: `${puts}, 99th percentile`, unit: "ms", better: "lower" },
      { id: "flushing/p99-with", title: `${puts}, beside flush and compaction`, unit: "ms", better: "lower" },
      { id: "flushing/pause-without", title: `${puts}, longest pause`, unit: "ms", better: "lower" },
      {
        id: "flushing/pause-with",
        title: `${puts}, longest pause beside flush and compaction`,
        unit: "ms",
        better: "lower",
      },
    ];
  },
  runsOn: (system) => system.kind === "kaya",
  async run({ scale, dir, report }) {
    // It flushes and compacts everything, but only when told: both cases are compared.
    const engine = await openEngine(dir, { durability: "durable", keepsInMemtable: true });
    await fill(engine, scale.entries);
    const { beside, alone } = await inTurn(engine, scale);
    report("flushing/p99-without", percentile(alone.latencies, P99));
    report("flushing/p99-with", percentile(beside.latencies, P99));
    report("flushing/pause-without", alone.pause);
    report("flushing/pause-with", beside.pause);
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

/** Puts without them for as long as flush and compaction took before, until both cases have had their time. */
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
    await beside.during(() => putBesideFlush(engine, put));
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

async function putBesideFlush(engine: Engine, put: () => Promise<unknown>): Promise<number[]> {
  let isRunning = true;
  const flush = flushAndCompact(engine).finally(() => {
    isRunning = false;
  });
  const latencies = await latenciesWhile(() => isRunning, IN_FLIGHT, put);
  await flush;
  return latencies;
}
