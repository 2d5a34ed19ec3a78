import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { SimDisk } from "@kaya/io";
import type { Found } from "@kaya/lsm";
import { describe, expect, it } from "vitest";
import { Engine } from "../src/index.js";
import { GrowingHead } from "../src/indexes/growing-head.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const MIB = 1024 * 1024;

async function bytesHeld(): Promise<number> {
  collectGarbage();
  await new Promise(setImmediate); // what was collected is counted from then on
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

/** Rows in tables, none of them in a cache. */
async function openWithRows(count: number, bytes: number, firstOf = (value: Uint8Array) => String(value[0])) {
  const disk = new SimDisk();
  const open = () => Engine.open({ durability: "relaxed", memory: { cacheBytes: 0 } }, disk);
  const viewOf = (engine: Engine) =>
    engine.view({
      prefix: "r:",
      key: "utf8",
      value: "bytes",
      indexes: { byFirst: { of: firstOf } },
    });
  const first = await open();
  const keys = Array.from({ length: count }, (_, i) => `${i}`.padStart(6, "0"));
  for (const key of keys) await viewOf(first).put(key, new Uint8Array(bytes).fill(1));
  await viewOf(first).ready();
  await first.flush();
  await first.close();
  const engine = await open();
  const rows = viewOf(engine);
  await rows.ready();
  return { engine, rows, keys };
}

describe("the old values of indexed rows", () => {
  it("are let go once their writes have a place, also while another one takes long", async () => {
    const { engine, rows, keys } = await openWithRows(160, 128 * 1024);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const update = rows.update("other", async () => {
      await held;
      return new Uint8Array(1);
    });
    const before = await bytesHeld();
    for (const key of keys) await rows.delete(key);
    expect((await bytesHeld()) - before).toBeLessThan(5 * MIB); // of 20
    release();
    await update;
    await engine.close();
  });

  it("are in memory page by page where a part of the rows is cleared", async () => {
    let most = Number.NEGATIVE_INFINITY;
    let calls = 0;
    const { engine, rows, keys } = await openWithRows(160, 128 * 1024, (value) => {
      if (++calls % 10 === 0) {
        collectGarbage();
        most = Math.max(most, process.memoryUsage().arrayBuffers);
      }
      return String(value[0]);
    });
    const before = await bytesHeld();
    most = before;
    await rows.clear({ gte: keys[0] as string, limit: 150 });
    expect(most - before).toBeLessThan(8 * MIB); // of 20
    expect(await rows.keys().toArray()).toEqual(keys.slice(150));
    await engine.close();
  });

  it("are kept for the attempts that were under way when they were read, and for no later ones", async () => {
    let reads = 0;
    const found: Found = { kind: 1, sequence: 1, expiresAt: 0, value: new Uint8Array(1) };
    const tables = {
      covered: { lsn: 0 },
      find: async () => {
        reads++;
        return found;
      },
    };
    const store = { tables, stateInMemory: () => undefined };
    const engine = { applied: { store }, wal: { pendingChange: () => undefined } };
    const head = new GrowingHead(engine as never);
    const key = Buffer.from("a");
    const begin = () => {
      let end = () => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      const done = head.retry(async () => {
        head.entries([key]);
        await ended;
      });
      return { end, done };
    };
    const [first, second] = [begin(), begin()];
    await new Promise(setImmediate);
    expect(reads).toBe(1);
    const third = begin(); // finds it
    first.end();
    await first.done;
    const fourth = begin(); // the second is under way still
    expect(reads).toBe(1);
    second.end();
    await second.done;
    begin().end(); // the third and fourth are under way, and began later
    await new Promise(setImmediate);
    expect(reads).toBe(2);
    third.end();
    fourth.end();
    await Promise.all([third.done, fourth.done]);
  });
});
