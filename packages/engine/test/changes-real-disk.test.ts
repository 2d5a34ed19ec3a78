import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { Engine, type PartialEngineConfig } from "../src/index.js";
import { changesToEnd, Replica } from "./support/feeds.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { entriesOf } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const directories = temporaryDirectories();
afterAll(() => directories.remove());

/** Files below a directory that this process has open; none where the system does not tell. */
function openFilesBelow(dir: string): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(join("/proc/self/fd", fd));
      return path.startsWith(dir) ? [path] : [];
    } catch {
      return []; // the one that lists them
    }
  });
}

describe("on a real disk", () => {
  it("copies that follow stay like the original, over flushes, rotations and restarts, and leave no file open", async () => {
    const dataDir = await directories.make();
    const config: PartialEngineConfig = {
      dataDir,
      wal: { segmentMaxBytes: 20_000, maxRecordBytes: 4000 },
      memory: { memtableBytes: 60_000 },
      changes: { maxKeptLogBytes: 100_000_000 },
    };
    const replica = new Replica();
    let lsn = 0;
    for (let life = 0; life < 3; life++) {
      const engine = await Engine.open(config);
      await engine.addConsumer("copy");
      const feed = engine.changes({ consumer: "copy" });
      const others = Array.from({ length: 5 }, () => engine.changes({ consumer: "copy" }));
      for (const other of others) void other.next().catch(() => undefined); // read no further: the engine's end
      for (let i = 0; i < 30; i++) {
        await Promise.all(
          Array.from({ length: 20 }, (_, j) =>
            engine.put(`key ${(i * 7 + j) % 90}`, `${life}-${i}-${j}`.repeat(20)),
          ),
        );
        if (i % 3 === 0) await engine.delete(`key ${i}`);
        while (lsn < engine.stats().durableLsn) {
          const { value } = await feed.next();
          if (value === undefined) throw new Error("the feed is over");
          expect(value.lsn).toBe(++lsn);
          replica.apply(value);
        }
        if (i % 5 === 4) await feed.acknowledge(replica.token ?? "");
      }
      expect(replica.sorted).toEqual(await entriesOf(engine.scan()));
      const since = replica.token ?? "";
      expect(await changesToEnd(engine, engine.changes({ since }), lsn)).toEqual([]);
      expect(engine.stats().tables.covered.lsn).toBeGreaterThan(0);
      await engine.close();
      expect(openFilesBelow(dataDir)).toEqual([]);
    }
    const last = await Engine.open(config);
    expect(last.lastRecovery.warnings).toEqual([]);
    expect(last.consumers()).toMatchObject([{ name: "copy", lsn, isTruncated: false }]);
    await last.close();
  });
});
