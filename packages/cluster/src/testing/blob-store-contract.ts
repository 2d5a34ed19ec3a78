import assert from "node:assert/strict";
import { KayaError, type KayaErrorCode } from "@kaya/core";
import type { BlobStore } from "../blob-store.js";

/** One check of a contract, for any test runner. */
export interface ContractCheck {
  /** The behaviour, as a sentence. */
  readonly name: string;
  /** Runs the check. It rejects if the store behaves differently. */
  run(): Promise<void>;
}

interface Check {
  readonly name: string;
  run(store: BlobStore): Promise<void>;
}

/** Large enough for several requests of a store, and not a round number. */
const LARGE_BYTES = 21 * 1024 * 1024 + 17;

const CHECKS: readonly Check[] = [
  {
    name: "an object has the bytes that were put, also if there are none",
    run: async (store) => {
      await store.put("a", text("one"));
      await store.put("dir/empty", new Uint8Array(0));
      assert.deepEqual(bytesOf(await store.get("a")), text("one"));
      assert.equal((await store.get("dir/empty")).length, 0);
      assert.deepEqual(await store.head("a"), { name: "a", size: 3 });
      assert.deepEqual(await store.head("dir/empty"), { name: "dir/empty", size: 0 });
      assert.deepEqual(await collected(store.stream("dir/empty")), new Uint8Array(0));
    },
  },
  {
    name: "the same bytes may be put again",
    run: async (store) => {
      await store.put("a/b", text("same"));
      await store.put("a/b", text("same"));
      assert.deepEqual(bytesOf(await store.get("a/b")), text("same"));
    },
  },
  {
    name: "a large object is put in pieces, and read whole, in pieces and in part",
    run: async (store) => {
      const content = pattern(LARGE_BYTES);
      await store.put("large", pieces(content, 700_001));
      assert.deepEqual(await store.head("large"), { name: "large", size: LARGE_BYTES });
      assert.ok(content.equals(await store.get("large")), "get gives other bytes");
      assert.ok(content.equals(await collected(store.stream("large"))), "stream gives other bytes");
      const range = { offset: 8 * 1024 * 1024 - 3, length: 9 * 1024 * 1024 };
      const part = content.subarray(range.offset, range.offset + range.length);
      assert.ok(part.equals(await store.get("large", range)), "a part has other bytes");
      assert.ok(part.equals(await collected(store.stream("large", range))), "a part has other bytes");
    },
  },
  {
    name: "a range ends at the end of the object, and may be empty or begin after the end",
    run: async (store) => {
      await store.put("a", text("0123456789"));
      const ranges = [{ offset: 4 }, { length: 3 }, { offset: 8, length: 5 }, { offset: 2, length: 0 }];
      const expected = ["456789", "012", "89", ""];
      for (const [index, range] of ranges.entries()) {
        assert.deepEqual(bytesOf(await store.get("a", range)), text(expected[index] as string));
        assert.deepEqual(await collected(store.stream("a", range)), text(expected[index] as string));
      }
      assert.equal((await store.get("a", { offset: 10 })).length, 0);
      assert.equal((await store.get("a", { offset: 99, length: 5 })).length, 0);
      assert.equal((await collected(store.stream("a", { offset: 99 }))).length, 0);
    },
  },
  {
    name: "an absent object: get rejects with KAYA_NOT_FOUND, head gives undefined, delete does nothing",
    run: async (store) => {
      await rejectsWith("KAYA_NOT_FOUND", store.get("absent"));
      await rejectsWith("KAYA_NOT_FOUND", store.get("absent/deeper", { offset: 1, length: 0 }));
      await rejectsWith("KAYA_NOT_FOUND", collected(store.stream("absent")));
      assert.equal(await store.head("absent"), undefined);
      assert.equal(await store.head("absent/deeper"), undefined);
      await store.delete("absent");
      await store.delete("absent/deeper");
    },
  },
  {
    name: "a removed object is absent",
    run: async (store) => {
      await store.put("a/b", text("x"));
      await store.put("a/c", text("y"));
      await store.delete("a/b");
      assert.equal(await store.head("a/b"), undefined);
      await rejectsWith("KAYA_NOT_FOUND", store.get("a/b"));
      assert.deepEqual(await namesOf(store, ""), ["a/c"]);
    },
  },
  {
    name: "a list has the names that begin with a prefix, in order, with sizes",
    run: async (store) => {
      const names = ["a-b", "a.b", "a/b", "a/b2/c", "a0", "ab/c", "b", "log/2", "log/10", "log/1"];
      for (const name of names) await store.put(name, text(name));
      const sorted = [...names].sort();
      assert.deepEqual(await namesOf(store, ""), sorted);
      for (const prefix of ["a", "a/", "a/b", "log/", "log/1", "b", "none", "none/deeper/"]) {
        const expected = sorted.filter((name) => name.startsWith(prefix));
        assert.deepEqual(await namesOf(store, prefix), expected, `prefix ${prefix}`);
      }
      for await (const { name, size } of store.list("")) assert.equal(size, name.length);
    },
  },
  {
    name: "a list of several pages is complete",
    run: async (store) => {
      const names = Array.from({ length: 1_203 }, (_, i) => `many/${String(i).padStart(5, "0")}`);
      for (let i = 0; i < names.length; i += 50)
        await Promise.all(names.slice(i, i + 50).map((name) => store.put(name, new Uint8Array(1))));
      assert.deepEqual(await namesOf(store, "many/"), names);
    },
  },
  {
    name: "a put whose content fails rejects with that error, and leaves no object",
    run: async (store) => {
      const failure = new Error("the content fails");
      async function* failing(): AsyncGenerator<Uint8Array, void> {
        yield pattern(LARGE_BYTES);
        throw failure;
      }
      await assert.rejects(store.put("half", failing()), (error) => error === failure);
      assert.equal(await store.head("half"), undefined);
      assert.deepEqual(await namesOf(store, ""), []);
    },
  },
  {
    name: "a signal ends a call with its reason, and an aborted put leaves nothing",
    run: async (store) => {
      const reason = new Error("enough");
      const controller = new AbortController();
      async function* ending(): AsyncGenerator<Uint8Array, void> {
        yield pattern(LARGE_BYTES);
        controller.abort(reason);
        yield text("more");
      }
      const { signal } = controller;
      await assert.rejects(store.put("half", ending(), { signal }), (error) => error === reason);
      assert.equal(await store.head("half"), undefined);
      const ended = [
        store.put("a", text("x"), { signal }),
        store.get("a", { signal }),
        collected(store.stream("a", { signal })),
        store.head("a", { signal }),
        store.delete("a", { signal }),
        collectedNames(store.list("", { signal })),
      ];
      for (const call of await Promise.allSettled(ended))
        assert.ok(call.status === "rejected" && call.reason === reason, "a call did not end");
    },
  },
  {
    name: "a name that leads out of the store is refused",
    run: async (store) => {
      for (const name of ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "a b", "~a", "ä", "a\0"]) {
        await rejectsWith("KAYA_INVALID_ARGUMENT", store.put(name, text("x")));
        await rejectsWith("KAYA_INVALID_ARGUMENT", store.get(name));
        await rejectsWith("KAYA_INVALID_ARGUMENT", collected(store.stream(name)));
        await rejectsWith("KAYA_INVALID_ARGUMENT", store.head(name));
        await rejectsWith("KAYA_INVALID_ARGUMENT", store.delete(name));
      }
      for (const prefix of ["/", "../", "a/../", "a b"])
        await rejectsWith("KAYA_INVALID_ARGUMENT", collectedNames(store.list(prefix)));
      assert.deepEqual(await namesOf(store, ""), []);
    },
  },
  {
    name: "an invalid range is refused",
    run: async (store) => {
      await store.put("a", text("x"));
      for (const range of [{ offset: -1 }, { length: -1 }, { offset: 0.5 }, { length: Number.NaN }])
        await rejectsWith("KAYA_INVALID_ARGUMENT", store.get("a", range));
    },
  },
];

/**
 * The checks that every `BlobStore` must pass, for any test runner. Each check calls `makeStore` for an empty store of its own. The caller
 * removes what the store leaves behind.
 */
export function blobStoreContract(makeStore: () => Promise<BlobStore> | BlobStore): readonly ContractCheck[] {
  return CHECKS.map((check) => ({
    name: check.name,
    run: async () => {
      const store = await makeStore();
      try {
        await check.run(store);
      } finally {
        await store.close?.();
      }
    },
  }));
}

function text(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value));
}

function bytesOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** Bytes in a pattern that repeats after 251, a prime number: so a shifted or swapped piece is detected. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < 251; i++) bytes[i] = i;
  for (let filled = 251; filled < length; filled *= 2) bytes.copyWithin(filled, 0, filled);
  return bytes;
}

async function* pieces(content: Uint8Array, bytes: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < content.length; at += bytes) yield content.slice(at, at + bytes);
}

async function collected(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const piece of stream) parts.push(piece);
  return new Uint8Array(Buffer.concat(parts));
}

async function collectedNames(list: AsyncIterable<{ readonly name: string }>): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of list) names.push(name);
  return names;
}

function namesOf(store: BlobStore, prefix: string): Promise<string[]> {
  return collectedNames(store.list(prefix));
}

async function rejectsWith(code: KayaErrorCode, promise: Promise<unknown>): Promise<void> {
  const outcome = await promise.then(
    () => "it resolved",
    (error: unknown) => error,
  );
  assert.ok(KayaError.is(outcome), `expected a KayaError ${code}, but: ${String(outcome)}`);
  assert.equal(outcome.code, code, outcome.message);
}
