import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Disk, NodeDisk, SimDisk } from "@kaya/io";
import { afterAll, describe, expect, it } from "vitest";
import { Engine } from "../src/index.js";

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true });
});

function realDisk(): NodeDisk {
  const directory = mkdtempSync(join(tmpdir(), "kaya-large-values-"));
  directories.push(directory);
  return new NodeDisk(directory);
}

const LENGTHS = [0, 100, 16_383, 16_384, 65_536, 262_144, 300_000];

function valueOfLength(length: number, round: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i >>> 8) * 3 + i * 7 + round);
}

async function expectValues(engine: Engine, round: number): Promise<void> {
  for (const length of LENGTHS) {
    expect(Buffer.from((await engine.get(`${length}`)) ?? []).equals(valueOfLength(length, round))).toBe(
      true,
    );
  }
}

describe.each([
  ["a simulated disk", (): Disk => new SimDisk()],
  ["a real disk", realDisk],
])("values of any length on %s", (_, makeDisk) => {
  it("are what they were at the call, whatever the caller does with them, in memory, in a table and in the log", async () => {
    const disk = makeDisk();
    const engine = await Engine.open({}, disk);
    const putAll = async (round: number) => {
      const writes = LENGTHS.map((length) => {
        const value = valueOfLength(length, round);
        const written = engine.put(`${length}`, value, {
          durability: round % 2 === 0 ? "strict" : "relaxed",
        });
        value.fill(0xee);
        return written;
      });
      await Promise.all(writes);
    };
    await putAll(0);
    await expectValues(engine, 0);
    const snapshot = engine.snapshot();
    await putAll(1);
    await expectValues(engine, 1);
    await engine.flush();
    await expectValues(engine, 1);
    expect(await snapshot.get("262144")).toEqual(valueOfLength(262_144, 0));
    snapshot.close();
    await putAll(2);
    await engine.close();
    const again = await Engine.open({}, disk);
    await expectValues(again, 2);
    await again.close();
  }, 30_000);
});

describe("memory.memtableBytes", () => {
  it("bounds what values that are not copied take, too", async () => {
    const MiB = 1024 * 1024;
    const engine = await Engine.open({ memory: { memtableBytes: 4 * MiB } }, new SimDisk());
    for (let i = 0; i < 60; i++) {
      await engine.put(`${i}`, new Uint8Array(256 * 1024));
      // Each of the two goes over its half by a value, and one more is on its way.
      expect(engine.stats().memtable.bytes).toBeLessThan(4 * MiB + 3.1 * 256 * 1024);
    }
    expect(engine.stats().flush?.finished).toBeGreaterThan(3);
    await engine.close();
  });
});
