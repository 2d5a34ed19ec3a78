import { type ChannelListener, channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { KayaError } from "@kaya/core";
import { type Disk, SimDisk } from "@kaya/io";
import { afterEach, describe, expect, it } from "vitest";
import { WAL_CHANNELS, WalWriter } from "../src/index.js";
import { fill, PassingDisk, put, SMALL } from "./support.js";

const subscriptions: [name: string, listener: ChannelListener][] = [];

function listen(name: string, listener: ChannelListener): void {
  subscribe(name, listener);
  subscriptions.push([name, listener]);
}

afterEach(() => {
  for (const [name, listener] of subscriptions.splice(0)) unsubscribe(name, listener);
});

/** All that is told from now on, in order, by the last part of the channel's name. */
function told(): [event: string, message: unknown][] {
  const messages: [string, unknown][] = [];
  for (const [event, name] of Object.entries(WAL_CHANNELS)) {
    listen(name, (message) => messages.push([event, message]));
  }
  return messages;
}

class NamedDisk extends PassingDisk {
  readonly root = "/data";
}

const openNamed = (disk: Disk, config = {}) => WalWriter.open(config, new NamedDisk(disk));
const durationMs = expect.any(Number);
const dataDir = "/data";

describe("the channels of a writer", () => {
  it("have the names that are documented", () => {
    expect(WAL_CHANNELS).toEqual({
      commit: "kaya:wal:commit",
      fsync: "kaya:wal:fsync",
      rotation: "kaya:wal:rotation",
      poisoned: "kaya:wal:poisoned",
    });
  });

  it("tell of each batch, its fsync and the segment that it opens", async () => {
    const writer = await openNamed(new SimDisk());
    const messages = told();
    await Promise.all([writer.append(put("a", ""), "relaxed"), writer.append(put("b", ""))]);
    await writer.append(put("c", ""), "relaxed");
    await writer.sync();
    await writer.close();
    const segmentId = 1;
    expect(messages).toStrictEqual([
      ["rotation", { dataDir, segmentId, durationMs }],
      ["fsync", { dataDir, segmentId, durationMs }],
      [
        "commit",
        { dataDir, firstLsn: 1, lastLsn: 2, records: 2, bytes: 98, segmentId, durable: true, durationMs },
      ],
      [
        "commit",
        { dataDir, firstLsn: 3, lastLsn: 3, records: 1, bytes: 49, segmentId, durable: false, durationMs },
      ],
      ["fsync", { dataDir, segmentId, durationMs }],
    ]);
  });

  it("tell of a rotation with what was closed", async () => {
    const writer = await openNamed(new SimDisk(), SMALL);
    const messages = told();
    for (let i = 0; i < 3; i++) await writer.append(put(`${i}`, fill(700)), "relaxed");
    await writer.close();
    expect(messages.filter(([event]) => event === "rotation")).toStrictEqual([
      ["rotation", { dataDir, segmentId: 1, durationMs }],
      [
        "rotation",
        { dataDir, segmentId: 2, closed: { segmentId: 1, bytes: 2 * 749, lastLsn: 2 }, durationMs },
      ],
    ]);
  });

  it("tell of a write that was taken back, with the error", async () => {
    const disk = new SimDisk();
    const writer = await openNamed(disk);
    await writer.append(put("a"));
    const messages = told();
    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    const error = await writer.append(put("b")).catch((reason: unknown) => reason);
    expect(KayaError.is(error, "KAYA_DISK_FULL")).toBe(true);
    expect(messages).toStrictEqual([
      ["commit", expect.objectContaining({ firstLsn: 2, lastLsn: 2, records: 1, durable: false, error })],
    ]);
    await writer.append(put("b"));
    expect(messages.at(-1)).toEqual(["commit", expect.objectContaining({ firstLsn: 2, durable: true })]);
    await writer.close();
  });

  it("tell of the fsync that failed, and that it was the end", async () => {
    const disk = new SimDisk();
    const writer = await openNamed(disk);
    await writer.append(put("a"));
    const messages = told();
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    const error = await writer.append(put("b")).catch((reason: unknown) => reason);
    expect(messages).toStrictEqual([
      ["fsync", { dataDir, segmentId: 1, durationMs, error }],
      ["poisoned", { dataDir, error, durableLsn: 1 }],
      ["commit", expect.objectContaining({ firstLsn: 2, durable: false, error })],
    ]);
    await writer.append(put("c")).catch(() => undefined);
    expect(messages).toHaveLength(3);
    await writer.close().catch(() => undefined);
  });

  it("tell nothing where nobody listens, and of no log's place where it has none", async () => {
    const writer = await WalWriter.open({}, new SimDisk());
    for (const name of Object.values(WAL_CHANNELS)) expect(channel(name).hasSubscribers).toBe(false);
    await writer.append(put("a"));
    const messages = told();
    await writer.append(put("b"));
    expect(messages).toEqual([
      ["fsync", expect.objectContaining({ dataDir: undefined })],
      ["commit", expect.objectContaining({ dataDir: undefined, firstLsn: 2 })],
    ]);
    await writer.close();
  });

  it("do not let a subscriber that throws harm a write", async () => {
    const uncaught: unknown[] = [];
    process.setUncaughtExceptionCaptureCallback((error) => uncaught.push(error));
    try {
      for (const name of Object.values(WAL_CHANNELS)) {
        listen(name, () => {
          throw new Error(name);
        });
      }
      const disk = new SimDisk();
      const writer = await openNamed(disk, SMALL);
      for (let i = 0; i < 4; i++) {
        expect(await writer.append(put(`${i}`, fill(700)))).toMatchObject({ lsn: i + 1, durable: true });
      }
      disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
      await expect(writer.append(put("x"))).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
      await writer.close();
      await new Promise(setImmediate);
    } finally {
      process.setUncaughtExceptionCaptureCallback(null);
    }
    const names = uncaught.map((error) => (error as Error).message);
    expect(new Set(names)).toEqual(new Set(Object.values(WAL_CHANNELS)));
  });

  it("may be answered with another write", async () => {
    const writer = await WalWriter.open({}, new SimDisk());
    const answers: Promise<unknown>[] = [];
    listen(WAL_CHANNELS.commit, () => {
      if (answers.length < 3) answers.push(writer.append(put(`${answers.length}`)));
    });
    await writer.append(put("first"));
    while (answers.length < 3) await answers.at(-1);
    expect(await Promise.all(answers)).toMatchObject([{ lsn: 2 }, { lsn: 3 }, { lsn: 4 }]);
    await writer.close();
  });
});
