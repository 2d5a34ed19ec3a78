import { KayaError } from "@kaya/core";
import { describe, expect, it } from "vitest";
import { fateOf } from "../src/epoch-starts.js";
import { type AppendBatch, LogAppender } from "../src/log-appender.js";
import type { SharedLog } from "../src/shared-log.js";
import { SimClock } from "../src/testing/index.js";
import { type Fate, head, ScriptedLog } from "./scripted-log.js";

const TIMEOUT_MS = 1_000;

function setUp(...script: Fate[]) {
  const log = new ScriptedLog(...script);
  const told: string[] = [];
  const clock = new SimClock({ isAutomatic: true });
  const appender = new LogAppender({
    log: log as unknown as SharedLog,
    clock,
    commitTimeoutMs: TIMEOUT_MS,
    head: log.now,
    events: {
      appended: ({ lastLsn }) => told.push(`appended ${lastLsn}`),
      doubted: () => told.push("doubted"),
      ended: ({ code }) => told.push(`ended ${code}`),
    },
  });
  return { log, told, clock, appender };
}

function batch(firstLsn: number, records = 2): AppendBatch {
  const lastLsn = firstLsn + records - 1;
  return { firstLsn, lastLsn, lastSequence: lastLsn, bytes: new Uint8Array([firstLsn, lastLsn]) };
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "resolved",
    (error: unknown) => (KayaError.is(error) ? error.code : String(error)),
  );

describe("the writer of one epoch appends to the shared log", () => {
  it("one batch behind the other", async () => {
    const { log, told, appender } = setUp();
    await appender.append(batch(11));
    await appender.append(batch(13, 1));
    expect(log.entries.map(({ lastLsn }) => lastLsn)).toEqual([12, 13]);
    expect(told).toEqual(["appended 12", "appended 13"]);
  });

  it("refuses a batch that leaves a gap before anything is sent", async () => {
    const { log, appender } = setUp();
    expect(await codeOf(appender.append(batch(12)))).toBe("KAYA_INVARIANT_VIOLATION");
    expect(log.attempts).toBe(0);
  });

  it("hands over a copy: the buffer may be used again while a lost request is on its way", async () => {
    const { log, appender } = setUp("late", "silence");
    const given = batch(11);
    await appender.append(given);
    given.bytes.fill(0);
    expect([...(log.entries[0]?.bytes ?? [])]).toEqual([11, 12]);
  });
});

describe("C4: an attempt without an answer", () => {
  it.each<[name: string, script: Fate[], attempts: number]>([
    ["whose request was lost is made again", ["lost-request"], 2],
    ["whose reply was lost is found in the log, and not made again", ["lost-reply"], 1],
    ["whose request arrives late is found in the log", ["late"], 1],
    ["that stays silent is given up and made again", ["silence"], 2],
    ["is made again as long as there is time", ["lost-request", "lost-request", "silence", "lost-reply"], 4],
    ["is made again over a missing majority", ["no-majority", "no-majority"], 3],
    ["is made again although a later one was refused for lack of space", ["lost-request", "disk-full"], 3],
  ])("%s", async (_, script, attempts) => {
    const { log, appender } = setUp(...script);
    await appender.append(batch(11));
    expect(log.attempts).toBe(attempts);
    expect(log.entries.map(({ lastLsn }) => lastLsn)).toEqual([12]);
    await appender.append(batch(13));
    expect(log.entries.map(({ lastLsn }) => lastLsn)).toEqual([12, 14]);
  });

  it("that arrives between a head read and its repetition counts once", async () => {
    // The first request is on its way until the second attempt, which then finds the head moved by the first.
    const { log, appender } = setUp("late", "done");
    log.silentHeads = 1;
    await appender.append(batch(11));
    expect(log.entries).toHaveLength(1);
    expect(appender.head.lsn).toBe(12);
    await appender.append(batch(13));
    expect(log.entries).toHaveLength(2);
  });

  it("counts if its epoch had reached it when another began, and ends the writer", async () => {
    const { told, appender } = setUp("claimed-after");
    await appender.append(batch(11));
    expect(told).toEqual(["doubted", "ended KAYA_FENCED", "appended 12"]);
    expect(await codeOf(appender.append(batch(13)))).toBe("KAYA_FENCED");
  });

  it.each<Fate>(["claimed-before", "claimed-many-before"])(
    "is refused where another epoch began before it (%s)",
    async (fate) => {
      const { log, told, appender } = setUp("lost-request", fate);
      const failed = appender.append(batch(11));
      await expect(failed).rejects.toMatchObject({ code: "KAYA_FENCED", leader: "http://other" });
      expect(log.entries).toEqual([]);
      expect(told).toEqual(["doubted", "ended KAYA_FENCED"]);
    },
  );

  it("stays in doubt where the head remembers too few epochs", async () => {
    const { appender } = setUp("claimed-many-after");
    expect(await codeOf(appender.append(batch(11)))).toBe("KAYA_IN_DOUBT");
    expect(appender.end?.code).toBe("KAYA_IN_DOUBT");
  });

  it("stays in doubt where the log is not the one that it was", async () => {
    const { appender } = setUp("restored");
    expect(await codeOf(appender.append(batch(11)))).toBe("KAYA_IN_DOUBT");
  });

  it.each<[name: string, fate: Fate]>([
    ["nothing else answers", "silence"],
    ["no majority is there", "no-majority"],
    ["there is no space", "disk-full"],
  ])("stays in doubt at the deadline where afterwards %s, and ends the writer for good", async (_, fate) => {
    const { log, told, appender, clock } = setUp("lost-request", ...Array<Fate>(500).fill(fate));
    expect(await codeOf(appender.append(batch(11)))).toBe("KAYA_IN_DOUBT");
    expect(clock.now()).toBeGreaterThanOrEqual(TIMEOUT_MS);
    expect(told.at(-1)).toBe("ended KAYA_IN_DOUBT");
    const { attempts } = log;
    // Other bytes at these LSNs must never be sent in this epoch: the lost request could still arrive.
    expect(await codeOf(appender.append({ ...batch(11), bytes: new Uint8Array([9]) }))).toBe("KAYA_FENCED");
    expect(log.attempts).toBe(attempts);
  });
});

describe("an attempt with a definite answer", () => {
  it("KAYA_FENCED tells who is the writer", async () => {
    const { told, appender } = setUp("claimed-before");
    await expect(appender.append(batch(11))).rejects.toMatchObject({
      code: "KAYA_FENCED",
      leader: "http://other",
    });
    expect(told).toEqual(["ended KAYA_FENCED"]);
  });

  it("KAYA_FENCED ends the writer although nobody says by whom", async () => {
    const { log, appender } = setUp("claimed-before");
    log.silentHeads = 100;
    expect(await codeOf(appender.append(batch(11)))).toBe("KAYA_FENCED");
    expect(appender.end?.code).toBe("KAYA_FENCED");
  });

  it("KAYA_DISK_FULL refuses the batch at once, and the next may pass", async () => {
    const { log, appender } = setUp("disk-full");
    expect(await codeOf(appender.append(batch(11)))).toBe("KAYA_DISK_FULL");
    await appender.append({ ...batch(11), bytes: new Uint8Array([7]) });
    expect([...(log.entries[0]?.bytes ?? [])]).toEqual([7]);
  });

  it("KAYA_NO_MAJORITY is told at the deadline, and the next may pass", async () => {
    const { appender } = setUp(...Array<Fate>(100).fill("no-majority"));
    // Pauses are 250 ms at most: far fewer than 100 attempts.
    expect(await codeOf(appender.append(batch(11)))).toBe("KAYA_NO_MAJORITY");
    expect(appender.end).toBeUndefined();
  });

  it("a head of a later epoch ends an idle writer", async () => {
    const { log, told, appender } = setUp();
    log.claim();
    appender.observe(log.now);
    expect(told).toEqual(["ended KAYA_FENCED"]);
    expect(await codeOf(appender.append(batch(11)))).toBe("KAYA_FENCED");
    expect(log.attempts).toBe(0);
  });
});

describe("the fate of an entry, by a head that was read later", () => {
  const expected = head({ epoch: 3, lsn: 10, version: "a" });
  const entry = { firstLsn: 11, lastLsn: 14 };
  const start = (epoch: number, lsn: number) => ({ epoch, lsn, writer: "x" });

  it.each([
    ["open", { epoch: 3, lsn: 10, version: "a" }],
    ["appended", { epoch: 3, lsn: 14, version: "b" }],
    ["unknown", { epoch: 3, lsn: 12, version: "b" }],
    ["never", { epoch: 4, lsn: 99, version: "b", starts: [start(3, 5), start(4, 10)] }],
    ["appended", { epoch: 4, lsn: 99, version: "b", starts: [start(3, 5), start(4, 14)] }],
    ["appended", { epoch: 6, lsn: 99, version: "b", starts: [start(4, 14), start(5, 14), start(6, 20)] }],
    ["never", { epoch: 6, lsn: 99, version: "b", starts: [start(5, 10), start(6, 20)] }],
    ["unknown", { epoch: 6, lsn: 99, version: "b", starts: [start(5, 14), start(6, 20)] }],
    ["unknown", { epoch: 4, lsn: 99, version: "b", starts: [start(4, 12)] }],
    ["unknown", { epoch: 2, lsn: 10, version: "b" }],
    ["unknown", { epoch: 3, lsn: 14, version: "b", logId: "other" }],
  ] as const)("is %s", (fate, found) => {
    expect(fateOf(entry, expected, head({ ...found } as object))).toBe(fate);
  });

  it("is unknown without a head", () => {
    expect(fateOf(entry, expected, undefined)).toBe("unknown");
  });
});
