import { entryKey, VALUE_BYTES } from "../data.js";
import type { Change, Store } from "../system.js";

/** Values that count how often they were changed, in as many bytes as other values have. */
export class Counters {
  readonly #store: Store;
  readonly #keys: readonly Uint8Array[];
  #changes = 0;

  private constructor(store: Store, keys: readonly Uint8Array[]) {
    this.#store = store;
    this.#keys = keys;
  }

  /** So many of them, all of which are 0. */
  static async create(store: Store, count: number): Promise<Counters> {
    const keys = Array.from({ length: count }, (_, i) => entryKey(i));
    await store.batch(keys.map((key) => ({ key, value: new Uint8Array(VALUE_BYTES) })));
    return new Counters(store, keys);
  }

  get keys(): readonly Uint8Array[] {
    return this.#keys;
  }

  /** Called for each counter to which an acknowledged write added one. */
  changed(counters: number): void {
    this.#changes += counters;
  }

  /** @throws Error if the store misses an acknowledged change: another write overwrote it */
  async check(): Promise<void> {
    let sum = 0;
    for (const key of this.#keys) {
      const value = this.#store.getSync?.(key) ?? (await this.#store.get?.(key));
      if (value?.length !== VALUE_BYTES) throw new Error(`a counter has ${value?.length ?? "no"} bytes`);
      sum += asView(value).getFloat64(0);
    }
    if (sum !== this.#changes)
      throw new Error(`${this.#changes} changes of counters were acknowledged, and their sum is ${sum}`);
  }
}

/** The next value of a counter. */
export const addOne: Change = (value) => {
  if (value === undefined) throw new Error("a counter is gone");
  const next = Uint8Array.from(value);
  const view = asView(next);
  view.setFloat64(0, view.getFloat64(0) + 1);
  return next;
};

function asView({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
