import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { entryKey, entryValue } from "../src/data.js";
import type { Entry } from "../src/system.js";
import { CoalescedStore } from "../src/systems/coalesced.js";

/** A store whose batches are committed when the test says so. */
class Held {
  readonly batches: number[][] = [];
  readonly #held: { resolve: () => void; reject: (error: Error) => void }[] = [];

  batch(entries: readonly Entry[]): Promise<void> {
    this.batches.push(entries.map(({ key }) => key[0] as number));
    return new Promise((resolve, reject) => this.#held.push({ resolve, reject }));
  }

  async commit(error?: Error): Promise<void> {
    const next = this.#held.shift();
    if (error === undefined) next?.resolve();
    else next?.reject(error);
    await turn();
    await turn();
  }
}

const put = (store: CoalescedStore, i: number) => store.put(Uint8Array.of(i), Uint8Array.of(i));

describe("puts that are coalesced by hand", () => {
  test("those of one turn are one batch, those that come meanwhile are the next", async () => {
    const held = new Held();
    const store = new CoalescedStore(held);
    const first = [put(store, 1), put(store, 2)];
    await turn();
    const second = [put(store, 3), put(store, 4)];
    await turn();
    expect(held.batches).toEqual([[1, 2]]); // one commit at a time
    await held.commit();
    await Promise.all(first);
    expect(held.batches).toEqual([
      [1, 2],
      [3, 4],
    ]);
    await held.commit();
    await Promise.all(second);
  });

  test("callers that put again when they are answered share a batch with those that waited", async () => {
    const held = new Held();
    const store = new CoalescedStore(held);
    const again = put(store, 1).then(() => put(store, 3));
    await turn();
    const waiting = put(store, 2);
    await held.commit();
    expect(held.batches).toEqual([[1], [2, 3]]);
    await held.commit();
    await Promise.all([again, waiting]);
  });

  test("a batch that fails is told to each of its puts, and to no other", async () => {
    const held = new Held();
    const store = new CoalescedStore(held);
    const failed = Promise.allSettled([put(store, 1), put(store, 2)]);
    await turn();
    const next = put(store, 3);
    await held.commit(new Error("full"));
    expect((await failed).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await held.commit();
    await next;
    const later = put(store, 4); // after it had nothing to do
    await turn();
    await held.commit();
    await later;
    expect(held.batches).toEqual([[1, 2], [3], [4]]);
  });

  test("a store whose batches are synchronous, or throw, does not differ", async () => {
    const sizes: number[] = [];
    const store = new CoalescedStore({
      batch: (entries) => {
        sizes.push(entries.length);
        if (entries.length === 3) throw new Error("three");
      },
    });
    await Promise.all([store.put(entryKey(1), entryValue(1)), store.put(entryKey(2), entryValue(2))]);
    await expect(Promise.all([put(store, 1), put(store, 2), put(store, 3)])).rejects.toThrow("three");
    await put(store, 4);
    expect(sizes).toEqual([2, 3, 1]);
  });
});
