import { expect, test } from "vitest";
import { waysOf } from "../src/durability/ways.js";
import type { Entry } from "../src/system.js";

const KEY = Uint8Array.of(1);
const VALUE = Uint8Array.of(2);

test("a store's durability is checked in each way that a durable row writes to it", async () => {
  const calls: string[] = [];
  const store = {
    put: () => void calls.push("put"),
    batch: (entries: readonly Entry[]) => void calls.push(`batch of ${entries.length}`),
    close: async () => undefined,
  };
  const ways = waysOf(store);
  expect(Object.keys(ways)).toEqual(["put", "batch", "coalesced"]);
  for (const write of Object.values(ways)) await write(KEY, VALUE);
  expect(calls).toEqual(["put", "batch of 1", "batch of 1"]);

  const synchronous = waysOf({ ...store, putSync: () => void calls.push("putSync") });
  expect(Object.keys(synchronous)).toContain("putSync");
  synchronous.putSync?.(KEY, VALUE);
  expect(calls.at(-1)).toBe("putSync");

  const transactional = waysOf({
    ...store,
    transact: (keys, change) => void calls.push(`transact of ${keys.length} to ${change(undefined)}`),
    update: (_key, change) => void calls.push(`update to ${change(undefined)}`),
  });
  transactional.transact?.(KEY, VALUE);
  transactional.update?.(KEY, VALUE);
  expect(calls.slice(-2)).toEqual(["transact of 1 to 2", "update to 2"]);
});
