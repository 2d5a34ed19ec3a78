import { sampleKeys, VALUE_BYTES } from "../data.js";
import { rateOf, rateOfSync } from "../measure.js";
import type { Store } from "../system.js";
import type { ReadWorkload } from "../workload.js";

/** Enough that neither they nor what they find stay in the processor's caches. */
const KEYS = 200_000;
const IN_FLIGHT = 64;

export const gets: ReadWorkload = {
  name: "gets",
  rows: [
    { id: "gets/sync", title: "get, synchronous, hit", unit: "gets/s", better: "higher" },
    { id: "gets/misses", title: "get, synchronous, miss", unit: "gets/s", better: "higher" },
    { id: "gets/async", title: `get, awaited, ${IN_FLIGHT} in flight`, unit: "gets/s", better: "higher" },
  ],
  async run(store, { scale, wants, measure }) {
    const hits = cycle(sampleKeys(KEYS, scale.entries));
    const get = store.getSync?.bind(store);
    await readOnce(store, sampleKeys(KEYS, scale.entries));
    if (get !== undefined && wants("gets/sync")) {
      const getHit = () => expectHit(get(hits()));
      await measure("gets/sync", async () => rateOfSync(scale, getHit));
    }
    if (get !== undefined && wants("gets/misses")) {
      const misses = cycle(sampleKeys(KEYS, scale.entries, scale.entries));
      const getMiss = () => expectMiss(get(misses()));
      await measure("gets/misses", async () => rateOfSync(scale, getMiss));
    }
    const getAsync = store.get?.bind(store);
    if (getAsync !== undefined && wants("gets/async")) {
      const getHit = async () => expectHit(await getAsync(hits()));
      await measure("gets/async", () => rateOf(IN_FLIGHT, scale, getHit));
    }
  },
};

/** Fills the store's caches before it is timed. */
async function readOnce(store: Store, keys: readonly Uint8Array[]): Promise<void> {
  for (const key of keys) {
    if (store.getSync !== undefined) store.getSync(key);
    else await store.get?.(key);
  }
}

/** One key after the other, without an end. */
export function cycle(keys: readonly Uint8Array[]): () => Uint8Array {
  let at = 0;
  return () => {
    const key = keys[at] as Uint8Array; // `at` stays below the length
    at = at + 1 === keys.length ? 0 : at + 1;
    return key;
  };
}

// A store that finds nothing would be fast.
export function expectHit(value: Uint8Array | undefined): void {
  if (value?.length !== VALUE_BYTES)
    throw new Error(`a key that is there gave ${value?.length ?? "no"} bytes`);
}

function expectMiss(value: Uint8Array | undefined): void {
  if (value !== undefined) throw new Error("a key that is not there gave a value");
}
