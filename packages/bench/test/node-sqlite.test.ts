import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { entryKey, entryValue } from "../src/data.js";
import { PeerMissing } from "../src/system.js";
import { makeNodeSqlite, type NodeSqlite } from "../src/systems/node-sqlite.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kaya-bench-sqlite-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** A module that knows the statements of the bench, and notes all others. */
function fakeModule() {
  const done: string[] = [];
  const rows = new Map<string, { key: Uint8Array; value: Uint8Array }>();
  const insert = (key: Uint8Array, value: Uint8Array) => {
    if (value.length === 0) throw new Error("NOT NULL");
    rows.set(hex(key), { key, value });
  };
  const all = () =>
    [...rows.keys()].sort().map((key) => rows.get(key) as { key: Uint8Array; value: Uint8Array });
  class DatabaseSync {
    constructor(file: string) {
      done.push(`open ${file.split("/").at(-1)}`);
    }
    exec(sql: string) {
      done.push(sql);
    }
    prepare(sql: string) {
      return {
        run: (...parameters: unknown[]) =>
          sql.startsWith("INSERT")
            ? insert(...(parameters as [Uint8Array, Uint8Array]))
            : void done.push(sql),
        get: (...[key]: unknown[]) => rows.get(hex(key as Uint8Array)),
        all: () => {
          if (sql.startsWith("PRAGMA")) done.push(sql);
          return sql.startsWith("PRAGMA") ? [] : all();
        },
        iterate: () => all(),
      };
    }
    close() {
      done.push("close");
    }
  }
  const module: NodeSqlite = { DatabaseSync };
  return { done, system: makeNodeSqlite(async () => module) };
}

describe("node:sqlite", () => {
  test("is missing where this Node has no such module, and leaves nothing", async () => {
    const system = makeNodeSqlite(async () => {
      throw new PeerMissing("no such built-in module");
    });
    const dir = join(root, "missing");
    await expect(system.open(dir, "durable")).rejects.toThrow(PeerMissing);
    expect(existsSync(dir)).toBe(false);
  });

  test.each([
    ["durable", "FULL"],
    ["relaxed", "OFF"],
  ] as const)("a %s store has synchronous = %s", async (durability, synchronous) => {
    const { done, system } = fakeModule();
    const memory = { cacheBytes: 64 << 20, writeBufferBytes: 0 };
    const store = await system.open(join(root, durability), durability, memory);
    await store.close();
    expect(done).toEqual([
      "open bench.sqlite",
      "PRAGMA journal_mode = WAL",
      `PRAGMA synchronous = ${synchronous}`,
      "PRAGMA cache_size = -65536",
      expect.stringMatching(/^CREATE TABLE/),
      "close",
    ]);
  });

  test("a batch is one transaction, and one that fails is rolled back", async () => {
    const { done, system } = fakeModule();
    const store = await system.open(join(root, "batch"), "durable");
    done.length = 0;
    const entries = [1, 2].map((i) => ({ key: entryKey(i), value: entryValue(i) }));
    await store.batch(entries);
    expect(done).toEqual(["BEGIN", "COMMIT"]);
    expect(() => store.batch([{ key: entryKey(3), value: new Uint8Array() }])).toThrow("NOT NULL");
    expect(done).toEqual(["BEGIN", "COMMIT", "BEGIN", "ROLLBACK"]);
    expect(store.getSync?.(entryKey(2))).toEqual(entryValue(2));
    expect(store.getSync?.(entryKey(3))).toBeUndefined();
    for (const by of ["pages", "entries"] as const) {
      const keys: string[] = [];
      await store.scan?.({ by, visit: (key) => keys.push(hex(key)) });
      expect(keys).toEqual([1, 2].map((i) => hex(entryKey(i))).sort());
    }
    await store.close();
  });
});
