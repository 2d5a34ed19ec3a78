import { createContext, runInContext } from "node:vm";
import { SimDisk } from "@kaya/io";
import { afterEach, describe, expect, it } from "vitest";
import { KayaLevel } from "../src/index.js";

const BINARY = { keyEncoding: "view", valueEncoding: "view" } as const;

const polluted = Object.prototype as Record<string, unknown>;

// Not enumerable, because abstract-level's own loops meet what is.
function pollute(options: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(options))
    Object.defineProperty(polluted, name, { value, configurable: true, writable: true });
}
afterEach(() => {
  for (const name of ["durability", "sync", "disk", "dataDir"]) delete polluted[name];
});

async function opened(disk = new SimDisk()): Promise<KayaLevel<Uint8Array, Uint8Array>> {
  const db = new KayaLevel<Uint8Array, Uint8Array>("location", { ...BINARY, disk });
  await db.open();
  return db;
}

describe("bytes", () => {
  it("whose memory is gone are refused, not taken for the empty key", async () => {
    const db = await opened();
    const gone = new Uint8Array(3);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    const key = new Uint8Array([1]);
    const attempts: Promise<unknown>[] = [
      db.put(gone, key),
      db.put(key, gone),
      db.del(gone),
      db.get(gone),
      db.getMany([gone]),
      db.batch([{ type: "put", key: gone, value: key }]),
      db.clear({ gte: gone }),
    ];
    for (const attempt of attempts)
      await expect(attempt).rejects.toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
    expect(() => db.iterator({ lt: gone })).toThrow("is gone");
    expect(db.engine.stats().lastLsn).toBe(0);
    await db.close();
  });

  it("of another realm are bytes", async () => {
    const db = await opened();
    const foreign = runInContext("new Uint8Array([7])", createContext({})) as Uint8Array;
    await db.put(foreign, foreign);
    expect([...((await db.get(foreign)) as Uint8Array)]).toEqual([7]);
    expect(await db.keys({ gte: foreign }).all()).toHaveLength(1);
    await db.close();
  });
});

it("options of a polluted Object.prototype are not obeyed", async () => {
  const disk = new SimDisk();
  // Not createIfMissing and errorIfExists, which abstract-level reads itself.
  pollute({ disk: 5, dataDir: "/elsewhere" });
  const db = await opened(disk);
  pollute({ durability: "relaxed", sync: false });
  await db.put(new Uint8Array([1]), new Uint8Array([2]), {});
  await db.batch([{ type: "put", key: new Uint8Array([2]), value: new Uint8Array([2]) }], {});
  await db.del(new Uint8Array([3]), {});
  expect(db.engine.stats().durableLsn).toBe(3);
  await db.close();
});

it("an empty batch resolves, and writes nothing", async () => {
  const disk = new SimDisk();
  const db = await opened(disk);
  await db.batch([]);
  await db.batch([], { sync: true });
  await db.batch().write();
  expect(db.engine.stats().lastLsn).toBe(0);
  await db.close();
});
