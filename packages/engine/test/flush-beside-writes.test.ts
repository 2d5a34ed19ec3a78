import { SimDisk } from "@kaya/io";
import { describe, expect, test } from "vitest";
import { Engine } from "../src/index.js";
import { text } from "./support/text.js";

const value = Buffer.alloc(200, "v");

describe("a flush", () => {
  test("takes in writes that were called before it and have no answer yet", async () => {
    const engine = await Engine.open({ tables: { autoFlush: false } }, new SimDisk());
    for (const round of [1, 2, 3]) {
      const write = engine.put(`key-${round}`, "value", { durability: "relaxed" });
      const flushed = await engine.flush();
      expect(flushed.lsn).toBe((await write).lsn);
      expect(flushed.entries).toBe(1);
      expect((await engine.flush()).entries).toBe(0);
    }
    await engine.close();
  });

  test("that is asked for while another one runs begins once, whatever begins by itself in that moment", async () => {
    for (let turns = 0; turns < 60; turns++) {
      const engine = await Engine.open({ memory: { memtableBytes: 1024, cacheBytes: 0 } }, new SimDisk());
      const fill = () => [0, 1, 2].map((i) => engine.put(`key-${i}`, value, { durability: "relaxed" }));
      await Promise.all(fill()); // a flush begins by itself
      while (engine.stats().memtable.sealedBytes === 0) await undefined;
      const writes = fill(); // so does the next one, where the first has ended
      for (let i = 0; i < turns; i++) await undefined;
      const flushed = engine.flush();
      await Promise.all(writes);
      await flushed;
      await engine.close();
      expect(engine.stats().flush.failed).toBe(0);
    }
  });
});

describe("a close", () => {
  test("applies and answers a large batch that is under way", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    const operations = Array.from(
      { length: 3000 },
      (_, i) => ({ type: "put", key: `key-${i}`, value: `${i}` }) as const,
    );
    const write = engine.batch(operations);
    await engine.close();
    expect((await write).durable).toBe(true);
    disk.crash();
    const again = await Engine.open({}, disk);
    expect(await again.count()).toBe(3000);
    expect(text(await again.get("key-2999"))).toBe("2999");
    await again.close();
  });
});

describe("writers that are faster than flushes", () => {
  test("wait a little now and again, and not for all that is left once both memtables are full", async () => {
    const MiB = 1024 * 1024;
    const disk = new SimDisk();
    const memory = { memtableBytes: 16 * MiB };
    const engine = await Engine.open({ memory, durability: "relaxed", tables: { autoCompact: false } }, disk);
    let next = 0;
    const write = async () => {
      while ((engine.stats().flush?.finished ?? 0) < 3) {
        const operations = Array.from({ length: 100 }, () => ({
          type: "put" as const,
          key: `${next++ * 7919}`,
          value: new Uint8Array(200),
        }));
        await engine.batch(operations);
      }
    };
    await Promise.all([write(), write(), write(), write()]);
    expect(engine.stats().flush?.heldUp).toBe(0);
    expect(engine.stats().memtable.bytes).toBeLessThan(16 * MiB);
    await engine.close();
  }, 60_000);

  test("wait for nothing that they need not where they are synchronous", async () => {
    const MiB = 1024 * 1024;
    const memory = { memtableBytes: 16 * MiB };
    const engine = await Engine.open({ memory, durability: "relaxed" }, new SimDisk());
    const [small, large] = [new Uint8Array(200), new Uint8Array(MiB)];
    let next = 0;
    while (engine.stats().memtable.sealedBytes === 0) {
      await Promise.all(Array.from({ length: 100 }, () => engine.put(`${next++}`, small)));
    }
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate); // a few entries are written
    expect(engine.stats().flush?.isRunning).toBe(true);
    for (let i = 0; i < 5; i++) engine.putSync(`large ${i}`, large);
    expect(engine.stats().flush?.isRunning).toBe(true);
    await engine.close();
  });
});
