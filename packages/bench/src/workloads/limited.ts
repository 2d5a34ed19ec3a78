import { halfRandomValue, KEY_BYTES, sampleKey, sampleKeys, VALUE_BYTES } from "../data.js";
import { bytesBelow } from "../disk-use.js";
import { entriesOf } from "../load.js";
import { perSecond, rateOf } from "../measure.js";
import type { LimitedScale } from "../scale.js";
import { PAGE_ENTRIES, type Store, type StoreMemory, type System } from "../system.js";
import type { Job, Row, Workload } from "../workload.js";
import { cycle, expectHit } from "./gets.js";
import { sizeName } from "./growth.js";

const MIB = 1 << 20;
const MB = 1e6;
const BATCH_ENTRIES = 1000;
const IN_FLIGHT = 64;
const RANGE_ENTRIES = 100;
const HOT_SHARE = 0.005;

/** Memory budget of each store: with Node's own 45 to 60 MiB and some of its files it fits the smallest cgroup. */
export const LIMITED_MEMORY: StoreMemory = { cacheBytes: 64 * MIB, writeBufferBytes: 32 * MIB };
/** Memory of a process at most: its budget and 64 MiB. */
export const LIMITED_RESIDENT_MIB = (LIMITED_MEMORY.cacheBytes + LIMITED_MEMORY.writeBufferBytes) / MIB + 64;

/** More data than memory: all processes run in a memory cgroup, in which the system's cache of their files counts as well. */
export const limited = limitedWorkload("limited", 0, 3);
/** The same with ten times the data. */
export const limitedLarge = limitedWorkload("limited-large", 1, 1);

function limitedWorkload(name: string, size: number, mostRounds: number): Workload {
  return {
    name,
    mostRounds,
    readsCold: true,
    rows: ({ limited: scales }) => {
      const scale = scales[size];
      return scale === undefined ? [] : rowsOf(name, scale);
    },
    runsOn: (system) => system.kind !== "raw" && system.onDisk,
    memoryBytes: ({ limited: scales }) => scaleAt(scales, size).memoryBytes,
    prepare: (job) => loadAll(job, name, scaleAt(job.scale.limited, size)),
    run: (job) => readCold(job, name, scaleAt(job.scale.limited, size)),
  };
}

function scaleAt(scales: readonly LimitedScale[], size: number): LimitedScale {
  const scale = scales[size];
  if (scale === undefined) throw new Error(`this mode has no limited run number ${size}`);
  return scale;
}

function rowsOf(workload: string, { entries, memoryBytes }: LimitedScale): Row[] {
  const of = `${sizeName(entries)} entries in ${memoryBytes / MIB} MiB`;
  const row = (figure: string, what: string, unit: string, better: Row["better"]): Row => ({
    id: `${workload}/${figure}`,
    title: `${of}, ${what}`,
    unit,
    better,
  });
  return [
    row("load", `relaxed batches of ${BATCH_ENTRIES}`, "entries/s", "higher"),
    row("load-memory", "most memory of the process loading", "MiB", "lower"),
    row("open", "open cold, and get one entry", "ms", "lower"),
    row("gets", `get, awaited, ${IN_FLIGHT} in flight`, "gets/s", "higher"),
    row("hot-gets", `get of a hot ${100 * HOT_SHARE} %, awaited, one after the other`, "gets/s", "higher"),
    row("ranges", `ranges of ${RANGE_ENTRIES}`, "ranges/s", "higher"),
    row("scan", "full scan by pages", "entries/s", "higher"),
    row("disk", "disk at the end", "MB", "lower"),
    row("memory", "most memory of the process reading", "MiB", "lower"),
  ];
}

async function loadAll(job: Job, name: string, scale: LimitedScale): Promise<void> {
  const store = await job.system.open(job.dir, "relaxed", LIMITED_MEMORY);
  await job.measure(`${name}/load`, async () => {
    const started = performance.now();
    await loadWithin(store, scale);
    return perSecond(scale.entries, started);
  });
  await store.close();
  job.report(`${name}/load-memory`, mostResidentMib());
}

/** @throws Error where the time is over before */
async function loadWithin(store: Store, { entries, deadlineMs }: LimitedScale): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (let from = 0; from < entries; from += BATCH_ENTRIES) {
    if (performance.now() > deadline) {
      throw new Error(`${from} of ${entries} entries were loaded in ${deadlineMs / 1000} s`);
    }
    await store.batch(entriesOf(from, Math.min(from + BATCH_ENTRIES, entries), halfRandomValue));
  }
}

async function readCold(job: Job, name: string, scale: LimitedScale): Promise<void> {
  await warmUpModule(job.system, `${job.dir}-warm-up`);
  const { entries } = scale;
  const pace = { ...job.scale, ...scale };
  let store: Store | undefined;
  await job.measure(`${name}/open`, async () => {
    const started = performance.now();
    store = await job.system.open(job.dir, "relaxed", LIMITED_MEMORY);
    expectHit(await store.get?.(sampleKey(0, entries)));
    return performance.now() - started;
  });
  if (store === undefined) throw new Error("no store was opened");
  const get = getOf(store);

  let i = 0;
  await job.measure(`${name}/gets`, () => rateOf(IN_FLIGHT, pace, () => get(sampleKey(i++, entries))));
  const hot = sampleKeys(Math.ceil(entries * HOT_SHARE), entries);
  await getEach(get, hot); // hot keys have been read before
  const nextHot = cycle(hot);
  await job.measure(`${name}/hot-gets`, () => rateOf(1, pace, () => get(nextHot())));
  await job.measure(`${name}/ranges`, () => rateOf(1, pace, rangesOf(store as Store, entries)));
  await job.measure(`${name}/scan`, () => scanAll(store as Store, entries));
  await store.close();
  job.report(`${name}/memory`, mostResidentMib());
  job.report(`${name}/disk`, bytesBelow(job.dir) / MB);
}

/** Opening times the store, not the reading of its module from a cold disk. */
async function warmUpModule(system: System, dir: string): Promise<void> {
  const store = await system.open(dir, "relaxed", LIMITED_MEMORY);
  await store.batch(entriesOf(0, PAGE_ENTRIES, halfRandomValue));
  await store.get?.(sampleKey(0, PAGE_ENTRIES));
  await store.close();
}

type Get = (key: Uint8Array) => Promise<void>;

function getOf(store: Store): Get {
  const get = store.get?.bind(store);
  if (get === undefined) throw new Error("a store is read here");
  return async (key) => expectHit(await get(key));
}

async function getEach(get: Get, keys: readonly Uint8Array[]): Promise<void> {
  let next = 0;
  const caller = async () => {
    for (let key = keys[next++]; key !== undefined; key = keys[next++]) await get(key);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
}

function rangesOf(store: Store, entries: number): () => Promise<void> {
  let asked = 0;
  let seen = 0;
  return async () => {
    await store.scan?.({
      by: "pages",
      from: sampleKey(asked++, entries),
      limit: RANGE_ENTRIES,
      visit: () => seen++,
    });
    // Only the few ranges at the very end are shorter.
    if (seen < asked * RANGE_ENTRIES * 0.9 - RANGE_ENTRIES)
      throw new Error(`${asked} ranges gave only ${seen} entries`);
  };
}

async function scanAll(store: Store, entries: number): Promise<number> {
  const started = performance.now();
  let seen = 0;
  const visit = (key: Uint8Array, value: Uint8Array) => {
    if (key.length === KEY_BYTES && value.length === VALUE_BYTES) seen++;
  };
  await store.scan?.({ by: "pages", visit });
  if (seen !== entries) throw new Error(`a scan of ${entries} entries saw ${seen}`);
  return perSecond(entries, started);
}

/** At its peak, with what is mapped from files. */
function mostResidentMib(): number {
  return process.resourceUsage().maxRSS / 1024;
}
