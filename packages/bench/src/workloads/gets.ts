import { sampleKeys, VALUE_BYTES } from "../data.js";
import { rateOf, rateOfSync } from "../measure.js";
import type { Store } from "../system.js";
import type { ReadWorkload } from "../workload.js";

/** Enough keys that neither they nor their entries stay in the processor's caches. */
const KEYS = 200_000;
const IN_FLIGHT = 64;

export const gets: ReadWorkload = {
  name: "gets",
  rows: [
    { id: "gets/sync", title: "get, synchronous", unit: "gets/s", better: "higher" },
    { id: "gets/sync-half", title: "get, synchronous, half of them miss", unit: "gets/s", better: "higher" },
    { id: "gets/async", title: `get, awaited, ${IN_FLIGHT} in flight`, unit: "gets/s", better: "higher" },
    {
      id: "gets/async-half",
      title: `get, awaited, ${IN_FLIGHT} in flight, half of them miss`,
      unit: "gets/s",
      better: "higher",
    },
  ],
  async run(store, { scale, wants, measure }) {
    const hits = sampleKeys(KEYS, scale.entries);
    const misses = sampleKeys(KEYS, scale.entries, scale.entries);
    await readOnce(store, hits);
    const nextHit = cycle(hits);
    const nextHalf = cycle(hits.flatMap((hit, i) => [hit, misses[i] as Uint8Array])); // as many of both
    const get = store.getSync?.bind(store);
    if (get !== undefined && wants("gets/sync")) {
      const getHit = () => expectHit(get(nextHit()));
      await measure("gets/sync", async () => rateOfSync(scale, getHit));
    }
    if (get !== undefined && wants("gets/sync-half")) {
      const halves = new HalfMisses();
      const getHalf = () => halves.count(get(nextHalf()));
      await measure("gets/sync-half", async () => rateOfSync(scale, getHalf));
      halves.check();
    }
    const getAsync = store.get?.bind(store);
    if (getAsync !== undefined && wants("gets/async")) {
      const getHit = async () => expectHit(await getAsync(nextHit()));
      await measure("gets/async", () => rateOf(IN_FLIGHT, scale, getHit));
    }
    if (getAsync !== undefined && wants("gets/async-half")) {
      const halves = new HalfMisses();
      const getHalf = async () => halves.count(await getAsync(nextHalf()));
      await measure("gets/async-half", () => rateOf(IN_FLIGHT, scale, getHalf));
      halves.check();
    }
  },
};

/** Fills the store's caches before it is timed. */
export async function readOnce(store: Store, keys: readonly Uint8Array[]): Promise<void> {
  for (const key of keys) {
    if (store.getSync !== undefined) store.getSync(key);
    else await store.get?.(key);
  }
}

/** One key after the other, without an end. */
export function cycle<T>(items: readonly T[]): () => T {
  let at = 0;
  return () => {
    const item = items[at] as T; // `at` stays below the length
    at = at + 1 === items.length ? 0 : at + 1;
    return item;
  };
}

// A store that finds nothing would be fast.
export function expectHit(value: Uint8Array | undefined): void {
  if (value?.length !== VALUE_BYTES)
    throw new Error(`a key that is there gave ${value?.length ?? "no"} bytes`);
}

/** Present and absent keys in turn. */
class HalfMisses {
  #hits = 0;
  #misses = 0;

  count(value: Uint8Array | undefined): void {
    if (value === undefined) {
      this.#misses++;
      return;
    }
    expectHit(value);
    this.#hits++;
  }

  /** @throws Error if the store did not find exactly the present keys */
  check(): void {
    if (Math.abs(this.#hits - this.#misses) > 1)
      throw new Error(`of keys half of which are there, ${this.#hits} were found and ${this.#misses} not`);
  }
}
