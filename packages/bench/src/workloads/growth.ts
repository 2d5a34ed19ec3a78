import { sampleKeys } from "../data.js";
import { load } from "../load.js";
import { LoopWatch } from "../loop-watch.js";
import { perSecond, rateOf, rateOfSync } from "../measure.js";
import { type MemoryUse, memoryInUse } from "../memory.js";
import type { Scale } from "../scale.js";
import type { Store } from "../system.js";
import type { Job, Row, Workload } from "../workload.js";
import { cycle, expectHit } from "./gets.js";

const KEYS = 200_000;
/** The rate of inserts at a size is that of the last so many before it. */
const WINDOW_ENTRIES = 1_000_000;

/** Kaya filled step by step: cost, memory and pauses of the event loop at each size. */
export const growth: Workload = {
  name: "growth",
  rows: (scale) => scale.growth.flatMap(rowsAt),
  runsOn: (system) => system.kind === "kaya",
  async run(job) {
    const before = await memoryInUse();
    const store = await job.system.open(job.dir, "relaxed");
    let size = 0;
    for (const next of job.scale.growth) {
      await grow(store, size, next, job);
      size = next;
      reportMemory(size, before, await memoryInUse(), job);
      await readAt(store, size, job);
    }
    await store.close();
  },
};

function rowsAt(size: number): Row[] {
  const at = `at ${sizeName(size)} entries`;
  return [
    { id: rowId(size, "inserts"), title: `inserts by batches, ${at}`, unit: "entries/s", better: "higher" },
    { id: rowId(size, "gets"), title: `get, synchronous, ${at}`, unit: "gets/s", better: "higher" },
    { id: rowId(size, "gets-async"), title: `get, awaited, ${at}`, unit: "gets/s", better: "higher" },
    { id: rowId(size, "rss"), title: `memory, all in, ${at}`, unit: "bytes/entry", better: "lower" },
    { id: rowId(size, "heap"), title: `JavaScript heap, ${at}`, unit: "bytes/entry", better: "lower" },
    { id: rowId(size, "load-pause"), title: `longest pause loading, ${at}`, unit: "ms", better: "lower" },
    { id: rowId(size, "scan-pause"), title: `longest pause scanning, ${at}`, unit: "ms", better: "lower" },
  ];
}

function rowId(size: number, figure: string): string {
  return `growth/${sizeName(size)}-${figure}`;
}

/** `5M`, `100k`. */
export function sizeName(entries: number): string {
  return entries >= 1_000_000 ? `${entries / 1_000_000}M` : `${entries / 1000}k`;
}

async function grow(store: Store, from: number, to: number, { report }: Job): Promise<void> {
  const watch = new LoopWatch();
  const windowStart = Math.max(from, to - WINDOW_ENTRIES);
  await load(store, from, windowStart);
  const started = performance.now();
  await load(store, windowStart, to);
  report(rowId(to, "inserts"), perSecond(to - windowStart, started));
  report(rowId(to, "load-pause"), watch.stop());
}

function reportMemory(size: number, before: MemoryUse, after: MemoryUse, { report }: Job): void {
  report(rowId(size, "rss"), (after.rss - before.rss) / size);
  report(rowId(size, "heap"), (after.heapUsed - before.heapUsed) / size);
}

async function readAt(store: Store, size: number, { scale, report }: Job): Promise<void> {
  const next = cycle(sampleKeys(KEYS, size));
  const getHit = () => expectHit(store.getSync?.(next()));
  report(rowId(size, "gets"), rateOfSync(scale, getHit));
  report(rowId(size, "gets-async"), await awaitedGets(store, next, scale));
  const watch = new LoopWatch();
  await store.scan?.({ by: "pages", visit: () => undefined });
  report(rowId(size, "scan-pause"), watch.stop());
}

function awaitedGets(store: Store, next: () => Uint8Array, scale: Scale): Promise<number> {
  return rateOf(64, scale, async () => expectHit(await store.get?.(next())));
}
