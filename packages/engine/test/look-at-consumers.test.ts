import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { Engine, lookAtConsumers, type PartialEngineConfig } from "../src/index.js";
import { changesToEnd } from "./support/feeds.js";
import { InterceptedDisk } from "./support/intercepted-disk.js";
import { rejection } from "./support/text.js";

const WAL = { segmentMaxBytes: 700, maxRecordBytes: 400, maxBatchBytes: 300 };
const CONFIG: PartialEngineConfig = { wal: WAL, tables: { autoFlush: false } };

async function fill(engine: Engine, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await engine.put(`key ${i % 7}`, `${i}`.repeat(9));
}

/** As the engine that has the directory open tells it. */
async function expectAsInside(disk: SimDisk, engine: Engine): Promise<void> {
  const seen = await lookAtConsumers(disk);
  expect(await lookAtConsumers(disk, { lastLsn: engine.stats().lastLsn })).toEqual(seen);
  expect(seen.map(({ keptLogBytes, ...consumer }) => consumer)).toEqual(engine.consumers());
  expect(Math.max(0, ...seen.map(({ keptLogBytes }) => keptLogBytes))).toBe(
    engine.stats().changes.keptLogBytes,
  );
}

describe("a look at the consumers of a directory", () => {
  it("tells what the engine tells that has it open, and changes nothing", async () => {
    const disk = new SimDisk();
    expect(await lookAtConsumers(disk)).toEqual([]);
    let engine = await Engine.open(CONFIG, disk);
    expect(await lookAtConsumers(disk)).toEqual([]);
    await engine.addConsumer("none yet");
    await expectAsInside(disk, engine);
    await fill(engine, 20);
    await engine.addConsumer("late");
    await fill(engine, 20);
    await expectAsInside(disk, engine);
    await engine.flush();
    await expectAsInside(disk, engine);
    const [late, first] = await lookAtConsumers(disk);
    expect(first?.keptLogBytes).toBe(engine.stats().wal.bytes);
    expect(late?.keptLogBytes).toBeGreaterThan(0);
    expect(late?.keptLogBytes).toBeLessThan(first?.keptLogBytes ?? 0);
    await engine.close();

    const before = disk.nextOperation;
    expect(await lookAtConsumers(disk)).toEqual([late, first]);
    expect(disk.nextOperation).toBe(before);
    engine = await Engine.open(CONFIG, disk);
    await expectAsInside(disk, engine);
    await fill(engine, 3);
    await expectAsInside(disk, engine);
    const feed = engine.changes({ consumer: "none yet" });
    await feed.acknowledge(await engine.changesToken());
    await expectAsInside(disk, engine);
    await engine.removeConsumer("late");
    await expectAsInside(disk, engine);
    expect(await lookAtConsumers(disk)).toMatchObject([{ lsn: 43, keptLogBytes: 0 }]);
    await engine.close();
  });

  it("tells who has lost its place: beyond the bound, and behind a cut", async () => {
    const disk = new SimDisk();
    const bounded = { ...CONFIG, changes: { maxKeptLogBytes: 0 } };
    const engine = await Engine.open(bounded, disk);
    await engine.addConsumer("slow");
    await fill(engine, 30);
    await engine.addConsumer("quick");
    await engine.flush();
    await expectAsInside(disk, engine);
    expect(await lookAtConsumers(disk)).toMatchObject([
      { name: "quick", lsn: 30, isTruncated: false, keptLogBytes: 0 },
      { name: "slow", lsn: 0, isTruncated: true, keptLogBytes: 0 },
    ]);
    await engine.close();
    await disk.remove("wal/log-id");
    expect((await lookAtConsumers(disk)).map(({ isTruncated }) => isTruncated)).toEqual([true, true]);
  });

  it("takes no acknowledgement made meanwhile for a lost place", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open(CONFIG, disk);
    await engine.addConsumer("index");
    await fill(engine, 30);
    await engine.flush();
    const all = await changesToEnd(engine, engine.changes(), 0);
    let acknowledged: Promise<void> | undefined;
    const moving = new InterceptedDisk(disk, ({ path }) => {
      // Its place is read by then, and the segments are not listed yet.
      if (path !== "wal/log-id" || acknowledged !== undefined) return undefined;
      acknowledged = engine.changes({ consumer: "index" }).acknowledge(all.at(-1)?.token ?? "");
      return acknowledged;
    });
    expect(await lookAtConsumers(moving)).toMatchObject([{ lsn: 30, isTruncated: false, keptLogBytes: 0 }]);
    await engine.close();
  });

  it("is refused where the file is damaged", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open(CONFIG, disk);
    await engine.addConsumer("index");
    await engine.close();
    disk.flipBit("consumers", 20, 0);
    await rejection("KAYA_CORRUPTION", lookAtConsumers(disk));
  });
});
