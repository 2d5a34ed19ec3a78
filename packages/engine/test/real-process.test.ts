import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Random } from "@kaya/io";
import { afterAll, describe, expect, it, vi } from "vitest";
import { Engine } from "../src/index.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { keysOf, rejection, text } from "./support/text.js";
import { type Acknowledged, keysOfWrite, WriterProcess } from "./support/writer-process.js";

vi.setConfig({ testTimeout: 120_000 });

const ROUNDS = 10;
const VALUE_BYTES = 100;

const directories = temporaryDirectories();
const writers: WriterProcess[] = [];
afterAll(async () => {
  await Promise.all(writers.map((writer) => writer.kill()));
  await directories.remove();
});

function startWriter(dataDir: string, name: string): WriterProcess {
  const writer = new WriterProcess({ dataDir, name, segmentMaxBytes: 8192, valueBytes: VALUE_BYTES });
  writers.push(writer);
  return writer;
}

describe("a process that is killed", () => {
  it("loses nothing that it acknowledged, strict or relaxed, however often it happens", {
    timeout: 60_000,
  }, async () => {
    const dataDir = await directories.make();
    const random = new Random(2024);
    const acknowledged: Acknowledged[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const writer = startWriter(dataDir, `round${round}`);
      const enough = 1 + random.below(300);
      await writer.until((lines) => lines.length > enough);
      acknowledged.push(...(await writer.kill()));
      const engine = await Engine.open({ dataDir });
      for (const write of acknowledged) {
        for (const key of keysOfWrite(write)) {
          const value = `${write.name}-${write.number}`.padEnd(VALUE_BYTES, ".");
          expect(text(engine.getSync(key)), `${key} in round ${round}`).toBe(value);
        }
      }
      await expectOnlyWholeWrites(engine);
      await engine.close();
    }
    expect(acknowledged.length).toBeGreaterThan(ROUNDS);
  });

  it("holds its directory while it lives, and not a moment longer", { timeout: 30_000 }, async () => {
    const dataDir = await directories.make();
    const writer = startWriter(dataDir, "holder");
    await writer.until((lines) => lines.length > 1);
    const conflict = await rejection("KAYA_LOCK_CONFLICT", Engine.open({ dataDir }));
    expect(conflict.message).toContain(`process ${writer.pid}`);
    expect(conflict.message).toContain(dataDir);
    const acknowledged = await writer.kill();
    const engine = await Engine.open({ dataDir });
    expect(engine.stats().entries).toBeGreaterThanOrEqual(acknowledged.length);
    await engine.close();
  });

  // A container with boots of its own leaves such a note when it is killed and started again: the page cache is still the one of before.
  it("R5: leaves a tail that is written again, also where the boot is another one", {
    timeout: 30_000,
  }, async () => {
    const dataDir = await directories.make();
    const writer = startWriter(dataDir, "killed");
    await writer.until((lines) => lines.length > 1);
    await writer.kill();
    const lock = join(dataDir, "LOCK");
    const note = await readFile(lock, "utf8");
    await writeFile(lock, note.replace(/boot=\S+/, "boot=00000000-0000-4000-8000-000000000000"));
    const tail = async () => {
      const segments = (await readdir(join(dataDir, "wal"))).filter((name) => name.endsWith(".wal"));
      return (await stat(join(dataDir, "wal", segments.sort().at(-1) as string))).ino;
    };
    const before = await tail();
    await (await Engine.open({ dataDir })).close();
    const after = await tail();
    expect(after).not.toBe(before);
    await (await Engine.open({ dataDir })).close(); // behind a clean close nothing is written again
    expect(await tail()).toBe(after);
  });
});

/** What was not acknowledged may be there, but then as it was written, and a batch with both its keys. */
async function expectOnlyWholeWrites(engine: Engine): Promise<void> {
  const keys = new Set(await keysOf(engine.scan()));
  for (const key of keys) {
    const [, name, number, half] = /^(round\d+)-(\d+)(?:-([ab]))?$/.exec(key) ?? [];
    expect(text(engine.getSync(key)), key).toBe(`${name}-${number}`.padEnd(VALUE_BYTES, "."));
    if (half !== undefined) expect(keys.has(`${name}-${number}-${half === "a" ? "b" : "a"}`), key).toBe(true);
  }
}
