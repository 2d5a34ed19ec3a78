import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { SimDisk } from "@kaya/io";
import { afterAll, describe, expect, it, vi } from "vitest";
import { Engine } from "../src/index.js";
import { InterceptedDisk } from "./support/intercepted-disk.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { entriesOf, keysOf, rejection, text } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const CONFIG = {
  wal: { segmentMaxBytes: 700, maxRecordBytes: 400, maxBatchBytes: 300 },
  tables: { autoFlush: false, autoCompact: false },
} as const;
const READ_ONLY = { ...CONFIG, readOnly: true } as const;

const directories = temporaryDirectories();
afterAll(() => directories.remove());

describe("refresh of a read-only engine", () => {
  it("moves on over writes, flushes and compactions; snapshots and scans from before stay as they are", async () => {
    const disk = new SimDisk();
    const writer = await Engine.open(CONFIG, disk);
    await writer.put("a", "1");
    const looker = await Engine.open(READ_ONLY, disk);
    const held: { snapshot: ReturnType<Engine["snapshot"]>; entries: [string, string][] }[] = [];
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 10; i++) await writer.put(`key ${(round + i) % 15}`, `${round}`.repeat(30));
      await writer.delete(`key ${round}`);
      if (round % 5 === 4) await writer.clear({ gte: "key 1", lt: "key 12" });
      if (round % 2 === 1) await writer.flush();
      if (round % 4 === 3) await writer.compact();
      const before = await entriesOf(looker.scan());
      const scan = looker.scan();
      expect(await looker.refresh()).toBe(true);
      expect(await looker.refresh()).toBe(false);
      const entries = await entriesOf(writer.scan());
      expect(await entriesOf(looker.scan())).toEqual(entries);
      expect(await entriesOf(scan)).toEqual(before);
      expect(looker.stats()).toMatchObject({
        lastLsn: writer.stats().lastLsn,
        lastSequence: writer.stats().lastSequence,
      });
      expect(looker.stats().tables.covered).toEqual(writer.stats().tables.covered);
      expect(looker.lastRecovery).toMatchObject({
        dryRun: true,
        tables: { covered: writer.stats().tables.covered },
      });
      held.push({ snapshot: looker.snapshot(), entries });
    }
    await writer.addConsumer("index");
    expect(await looker.refresh()).toBe(false);
    expect(looker.consumers().map(({ name }) => name)).toEqual(["index"]);
    for (const { snapshot, entries } of held) {
      expect(await entriesOf(snapshot.scan({ reverse: true }))).toEqual(entries.toReversed());
      snapshot.close();
    }
    await looker.close();
    await rejection("KAYA_CLOSED", looker.refresh());
    await writer.close();
  });

  it("changes nothing on the disk", async () => {
    const disk = new SimDisk();
    const writer = await Engine.open(CONFIG, disk);
    await writer.put("a", "1");
    const looker = await Engine.open(READ_ONLY, disk);
    await writer.put("b", "1");
    await writer.flush();
    const before = disk.stateDigest("everything");
    expect(await looker.refresh()).toBe(true);
    expect(disk.stateDigest("everything")).toBe(before);
    await looker.close();
    await writer.close();
  });

  it("is refused on an engine that writes", async () => {
    const engine = await Engine.open(CONFIG, new SimDisk());
    await rejection("KAYA_INVALID_ARGUMENT", engine.refresh());
    await engine.close();
  });

  it("that is refused leaves the engine as it was, and the next one goes on", async () => {
    const disk = new SimDisk();
    const writer = await Engine.open(CONFIG, disk);
    await writer.put("a", "1");
    await writer.flush();
    await writer.put("a", "2");
    const looker = await Engine.open(READ_ONLY, disk);
    const snapshot = looker.snapshot();
    await writer.put("b", "x");
    await writer.flush();
    for (let i = 0; i < 20; i++) await writer.put(`c${i}`, "x".repeat(100));
    const stats = looker.stats();
    const report = looker.lastRecovery;
    const newest = async (dir: string, from: number) =>
      (await disk.list(dir)).filter(({ path }) => /\.(wal|sst)$/.test(path)).at(from) ?? {
        path: "",
        length: 0,
      };
    const [table, segment] = [await newest("sst", -1), await newest("wal", -2)];
    for (const [path, offset] of [
      [table.path, table.length - 10],
      [segment.path, 60],
    ] as const) {
      disk.flipBit(path, offset, 2);
      expect((await rejection("KAYA_CORRUPTION", looker.refresh())).message).toContain(path);
      expect(await entriesOf(looker.scan())).toEqual([["a", "2"]]);
      expect(text(await snapshot.get("a"))).toBe("2");
      expect(looker.lastRecovery).toBe(report);
      const { tables, ...others } = looker.stats();
      expect({ ...others, tables: tables.levels }).toEqual({ ...stats, tables: stats.tables.levels });
      disk.flipBit(path, offset, 2);
    }
    expect(await looker.refresh()).toBe(true);
    expect(await looker.count()).toBe(22);
    snapshot.close();
    await looker.close();
    await writer.close();
  });

  it("moves only forward: what a recovery cut off is said, not passed over", async () => {
    const disk = new SimDisk();
    const writer = await Engine.open(CONFIG, disk);
    await writer.changesToken(); // the log has an id
    await writer.put("a", "1");
    await writer.put("b", "1", { durability: "relaxed" });
    const looker = await Engine.open(READ_ONLY, disk);
    expect(await keysOf(looker.scan())).toEqual(["a", "b"]);
    disk.crash();
    await rejection("KAYA_LOG_TRUNCATED", looker.refresh());
    const again = await Engine.open(CONFIG, disk);
    await again.put("c", "1");
    await again.put("d", "1");
    const { message } = await rejection("KAYA_LOG_TRUNCATED", looker.refresh()).catch(() => ({
      message: "",
    }));
    // Where the recovery had nothing to cut the log is the same one by its id, and longer.
    if (message !== "") expect(message).toContain("open the directory again");
    await looker.close();
    await again.close();
  });

  it("runs one at a time, and ends before close does", async () => {
    const disk = new SimDisk();
    const writer = await Engine.open(CONFIG, disk);
    await writer.put("a", "1");
    let looks = 0;
    let most = 0;
    const counted = new InterceptedDisk(disk, ({ kind, path }) => {
      if (kind === "open" && path.startsWith("manifest/")) most = Math.max(most, ++looks);
      if (kind === "close" && path.startsWith("manifest/")) looks--;
      return undefined;
    });
    const looker = await Engine.open(READ_ONLY, counted);
    await writer.put("b", "1");
    expect(await Promise.all([looker.refresh(), looker.refresh(), looker.refresh()])).toEqual([
      true,
      false,
      false,
    ]);
    expect(most).toBe(1);
    await writer.put("c", "1");
    const last = looker.refresh().catch((error: unknown) => error);
    await looker.close();
    expect([true, "KAYA_CLOSED"]).toContain(((await last) as { code?: string }).code ?? (await last));
    await writer.close();
  });
});

describe("beside a process that writes, flushes and compacts all the time", () => {
  it("each opening and each refresh shows one state that was there, and each a later one", async () => {
    const dataDir = await directories.make();
    const script = fileURLToPath(new URL("./support/flushing-writer.mjs", import.meta.url));
    const child = spawn(process.execPath, [script, dataDir]);
    let said = 0;
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said = Number(chunk.toString().trim().split("\n").at(-1));
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    const closed = once(child, "close");
    try {
      while (said < 100 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(errors).toBe("");
      const looker = await Engine.open({ dataDir, readOnly: true, memory: { cacheBytes: 0 } });
      let last = await stateOf(looker);
      const first = looker.snapshot();
      const firstEntries = await entriesOf(first.scan());
      let moved = 0;
      // However slow the writer is: until it was seen to move a few times.
      for (let round = 0; round < 40 || moved <= 3; round++) {
        if (child.exitCode !== null) break;
        const least = said;
        if (await looker.refresh()) moved++;
        const shown = await stateOf(looker);
        expect(shown).toBeGreaterThanOrEqual(Math.max(last, least));
        last = shown;
        if (round % 8 > 0) continue;
        const other = await Engine.open({ dataDir, readOnly: true });
        expect(await stateOf(other)).toBeGreaterThanOrEqual(least);
        await other.close();
      }
      expect(moved).toBeGreaterThan(3);
      expect(await entriesOf(first.scan())).toEqual(firstEntries);
      first.close();
      child.kill("SIGKILL");
      await closed;
      await looker.refresh();
      expect(await stateOf(looker)).toBeGreaterThanOrEqual(said);
      await looker.close();
    } finally {
      child.kill("SIGKILL");
      await closed;
    }
  });
});

/** The number of the batch whose state it shows, which must be whole. */
async function stateOf(engine: Engine): Promise<number> {
  const entries = await entriesOf(engine.scan());
  const n = Number(entries[0]?.[1]);
  const expected = new Map([
    ["a", n],
    ["b", n],
  ]);
  for (let i = Math.max(1, n - 49); i <= n; i++) expected.set(`key ${i % 50}`, i);
  const sorted = [...expected].sort(([a], [b]) => (a < b ? -1 : 1));
  expect(entries.map(([key, value]) => [key, Number(value)])).toEqual(sorted);
  return n;
}
