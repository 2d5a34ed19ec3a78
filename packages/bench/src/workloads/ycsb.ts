import { cp } from "node:fs/promises";
import { entryKey, entryValue, makeRandom } from "../data.js";
import { load } from "../load.js";
import { rateOf } from "../measure.js";
import { collectGarbage } from "../memory.js";
import type { Store } from "../system.js";
import type { Job, Workload } from "../workload.js";
import { filledStore } from "./filled-store.js";
import { cycle, expectHit, readOnce } from "./gets.js";
import { ROOM_FOR_ALL } from "./reads.js";

const IN_FLIGHT = 64;
/** YCSB's own. */
const SKEW = 0.99;
const DRAWS = 500_000;
const READ_SHARE = 0.5;

/** YCSB's workload A: half reads, half updates, of keys that are drawn by Zipf's law. */
export const ycsbA: Workload = {
  name: "ycsb-a",
  rows: () => {
    const title = `YCSB-A, relaxed, ${IN_FLIGHT} in flight`;
    return [
      { id: "ycsb-a/async", title: `${title}, gets awaited`, unit: "operations/s", better: "higher" },
      { id: "ycsb-a/sync", title: `${title}, gets synchronous`, unit: "operations/s", better: "higher" },
    ];
  },
  runsOn: (system) => system.kind !== "raw",
  fixture: filledStore,
  async run(job) {
    const { scale, wants, measure } = job;
    const random = makeRandom();
    const drawn = zipfian(DRAWS, scale.entries, random);
    const store = await openCopy(job);
    await readOnce(store, [...new Set(drawn)].map(entryKey));
    await collectGarbage();
    const mix = mixOf(store, drawn, random);
    const { get, getSync } = store;
    if (get !== undefined && wants("ycsb-a/async")) {
      const read = async (key: Uint8Array) => expectHit(await get.call(store, key));
      await measure("ycsb-a/async", () => rateOf(IN_FLIGHT, scale, mix(read)));
    }
    if (getSync !== undefined && wants("ycsb-a/sync")) {
      const read = (key: Uint8Array) => expectHit(getSync.call(store, key));
      await measure("ycsb-a/sync", () => rateOf(IN_FLIGHT, scale, mix(read)));
    }
    await store.close();
  },
};

/** The filled store is for the other workloads, too: this one changes a copy. */
async function openCopy({ system, scale, dir, fixtureDir }: Job): Promise<Store> {
  if (system.onDisk) await cp(fixtureDir, dir, { recursive: true });
  const store = await system.open(dir, "relaxed", ROOM_FOR_ALL);
  if (!system.onDisk) await load(store, 0, scale.entries);
  return store;
}

/** @returns operations that read or update, half of them each */
function mixOf(store: Store, drawn: readonly number[], random: () => number) {
  const next = cycle(drawn);
  let updates = 0;
  return (read: (key: Uint8Array) => unknown) => () => {
    const key = entryKey(next());
    return random() < READ_SHARE ? read(key) : store.put(key, entryValue(updates++));
  };
}

/**
 * Numbers from 0 to `entries` (not included), of which number k comes about as often as 1 / (k + 1)^0.99.
 * Gray et al., "Quickly Generating Billion-Record Synthetic Databases", SIGMOD 1994, as YCSB does it.
 */
export function zipfian(count: number, entries: number, random: () => number): number[] {
  const total = zeta(entries);
  const second = 1 + 0.5 ** SKEW;
  const alpha = 1 / (1 - SKEW);
  const eta = (1 - (2 / entries) ** (1 - SKEW)) / (1 - zeta(2) / total);
  return Array.from({ length: count }, () => {
    const u = random();
    if (u * total < 1) return 0;
    if (u * total < second) return 1;
    return Math.min(entries - 1, Math.floor(entries * (eta * u - eta + 1) ** alpha));
  });
}

function zeta(count: number): number {
  let sum = 0;
  for (let i = 1; i <= count; i++) sum += 1 / i ** SKEW;
  return sum;
}
