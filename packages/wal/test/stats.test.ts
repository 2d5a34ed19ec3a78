import { SimDisk } from "@kaya/io";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WalWriter } from "../src/index.js";
import { fill, PassingDisk, put, SMALL } from "./support.js";

const NOTHING = { mean: 0, p50: 0, p99: 0, max: 0, buckets: [] };

describe("what a writer did since it was opened", () => {
  it("is nothing at first", async () => {
    const before = Date.now();
    const writer = await WalWriter.open({}, new SimDisk());
    const { since, ...stats } = writer.stats();
    expect(stats).toStrictEqual({
      segments: 0,
      bytes: 0,
      quarantine: { files: 0, bytes: 0, torn: { files: 0, bytes: 0 } },
      appends: { strict: 0, relaxed: 0, rejected: 0 },
      commits: { count: 0, records: NOTHING, bytes: NOTHING },
      fsyncs: { count: 0, durationMs: NOTHING },
      rotations: 0,
    });
    expect(since).toBeGreaterThanOrEqual(before);
    expect(since).toBeLessThanOrEqual(Date.now());
    await writer.close();
  });

  it("is told by durability, and a batch is one commit", async () => {
    const writer = await WalWriter.open({}, new SimDisk());
    await Promise.all(
      Array.from({ length: 10 }, (_, i) => writer.append(put(`${i}`, ""), i < 4 ? "relaxed" : "strict")),
    );
    await writer.append(put("a", ""), "relaxed");
    await writer.append(put("b", ""), "relaxed");
    const { appends, commits, fsyncs, bytes } = writer.stats();
    expect(appends).toEqual({ strict: 6, relaxed: 6, rejected: 0 });
    expect(commits).toEqual({
      count: 3,
      records: {
        mean: 4,
        p50: 1,
        p99: 10,
        max: 10,
        buckets: [
          [1, 2],
          [2, 2],
          [4, 2],
          [8, 2],
          [16, 3],
        ],
      },
      bytes: expect.objectContaining({ mean: bytes / 3, p50: 50, p99: 490, max: 490 }),
    });
    expect(fsyncs.count).toBe(1);
    await writer.sync();
    await writer.sync();
    expect(writer.stats()).toMatchObject({ commits: { count: 3 }, fsyncs: { count: 2 } });
    await writer.close();
  });

  it("counts rotations, and the fsync of the segment that is closed", async () => {
    const writer = await WalWriter.open(SMALL, new SimDisk());
    for (let i = 0; i < 4; i++) await writer.append(put(`${i}`, fill(700)), "relaxed");
    expect(writer.stats()).toMatchObject({ segments: 2, rotations: 1, fsyncs: { count: 1 } });
    await writer.rotate();
    expect(writer.stats()).toMatchObject({ segments: 3, rotations: 2, fsyncs: { count: 3 } });
    await writer.close();
  });

  it("counts what was rejected, and not what was acknowledged before", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({ maxBatchBytes: 200 }, disk);
    await writer.append(put("first"));
    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    const writes = Array.from({ length: 10 }, (_, i) => writer.append(put(`${i}`)));
    expect((await Promise.allSettled(writes)).every(({ status }) => status === "rejected")).toBe(true);
    expect(writer.stats()).toMatchObject({
      appends: { strict: 11, relaxed: 0, rejected: 10 },
      commits: { count: 1 },
    });

    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    const relaxed = writer.append(put("relaxed"), "relaxed");
    await expect(writer.append(put("strict"))).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    await relaxed;
    expect(writer.stats()).toMatchObject({
      appends: { strict: 12, relaxed: 1, rejected: 11 },
      commits: { count: 1 },
      fsyncs: { count: 1 },
    });
    await writer.close().catch(() => undefined);
  });
});

describe("the time of an fsync", () => {
  let now = 0;
  beforeEach(() => {
    vi.spyOn(performance, "now").mockImplementation(() => now);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("is told in milliseconds, of each fsync of a segment", async () => {
    const slow = new (class extends PassingDisk {
      override async open(...args: Parameters<PassingDisk["open"]>) {
        const file = await super.open(...args);
        const sync = file.sync.bind(file);
        file.sync = async () => {
          await sync();
          now += 2.5;
        };
        return file;
      }
    })(new SimDisk());
    const writer = await WalWriter.open({}, slow);
    for (let i = 0; i < 3; i++) await writer.append(put(`${i}`));
    const { durationMs } = writer.stats().fsyncs;
    expect(durationMs).toMatchObject({ mean: 2.5, p50: 2.5, max: 2.5 });
    await writer.close();
  });
});
