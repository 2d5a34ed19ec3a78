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
  it("one batch after the other", async () => {
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

  it("with a copy of the bytes: the buffer may be reused while a late request is on its way", async () => {
    const { log, appender } = setUp("late", "silence");
    const given = batch(11);
    await appender.append(given);
    given.bytes.fill(0);
    expect([...(log.entries[0]?.bytes ?? [])]).toEqual([11, 12]);
  });
});

describe("C4: an attempt without an answer", () => {
  it.each<[name: string, script: Fate[], attempts: number]>([
    ["is repeated if its request was lost", ["lost-request"], 2],
    ["is found in the log, and not repeated, if its reply was lost", ["lost-reply"], 1],
    ["is found in the log if its request arrives late", ["late"], 1],
    ["is aborted and repeated if it stays without an answer", ["silence"], 2],
    ["is repeated as long as there is time", ["lost-request", "lost-request", "silence", "lost-reply"], 4],
    ["is repeated while there is no majority", ["no-majority", "no-majority"], 3],
    ["is repeated although a later attempt was refused for lack of space", ["lost-request", "disk-full"], 3],
  ])("%s", async (_, script, attempts) => {
    const { log, appender } = setUp(...script);
    await appender.append(batch(11));
    expect(log.attempts).toBe(attempts);
    expect(log.entries.map(({ lastLsn }) => lastLsn)).toEqual([12]);
    await appender.append(batch(13));
    expect(log.entries.map(({ lastLsn }) => lastLsn)).toEqual([12, 14]);
  });

  it("counts once if its request arrives between a head read and the next attempt", async () => {
    // The first request arrives at the second attempt, which then finds the head that the first one made.
    const { log, appender } = setUp("late", "done");
    log.silentHeads = 1;
    await appender.append(batch(11));
    expect(log.entries).toHaveLength(1);
    expect(appender.head.lsn).toBe(12);
    await appender.append(batch(13));
    expect(log.entries).toHaveLength(2);
  });

  it("counts, and ends the writer, if the entry was in the log before another epoch began", async () => {
    const { told, appender } = setUp("claimed-after");
    await appender.append(batch(11));
    expect(told).toEqual(["doubted", "ended KAYA_FENCED", "appended 12"]);
    expect(await codeOf(appender.append(batch(13)))).toBe("KAYA_FENCED");
  });

  it.each<Fate>(["claimed-before", "claimed-many-before"])(
    "is refused if another epoch began before it (%s)",
    async (fate) => {
      const { log, told, appender } = setUp("lost-request", fate);
      const failed = appender.append(batch(11));
      await expect(failed).rejects.toMatchObject({ code: "KAYA_FENCED", leader: "http://other" });
      expect(log.entries).toEqual([]);
      expect(told).toEqual(["doubted", "ended KAYA_FENCED"]);
    },
  );

  it("stays in doubt if the head remembers too few epochs", async () => {
    const { appender } = setUp("claimed-many-after");
    expect(await codeOf(appender.append(batch(11)))).toBe("KAYA_IN_DOUBT");
    expect(appender.end?.code).toBe("KAYA_IN_DOUBT");
  });

  it("stays in doubt if the log was replaced by an older copy", async () => {
    const { appender } = setUp("restored");
    expect(await codeOf(appender.append(batch(11)))).toBe("KAYA_IN_DOUBT");
  });

  it.each<[name: string, fate: Fate]>([
    ["no later call gets an answer", "silence"],
    ["there is no majority", "no-majority"],
    ["there is no space", "disk-full"],
  ])("stays in doubt at the deadline if afterwards %s, and ends the writer for good", async (_, fate) => {
    const { log, told, appender, clock } = setUp("lost-request", ...Array<Fate>(500).fill(fate));
    expect(await codeOf(appender.append(batch(11)))).toBe("KAYA_IN_DOUBT");
    expect(clock.now()).toBeGreaterThanOrEqual(TIMEOUT_MS);
    expect(told.at(-1)).toBe("ended KAYA_IN_DOUBT");
    const { attempts } = log;
    // No other bytes may be sent at these LSNs in this epoch, because the lost request could still arrive.
    expect(await codeOf(appender.append({ ...batch(11), bytes: new Uint8Array([9]) }))).toBe("KAYA_FENCED");
    expect(log.attempts).toBe(attempts);
  });
});

describe("an attempt with a definite answer", () => {
  it("KAYA_FENCED names the new writer", async () => {
    const { told, appender } = setUp("claimed-before");
    await expect(appender.append(batch(11))).rejects.toMatchObject({
      code: "KAYA_FENCED",
      leader: "http://other",
    });
    expect(told).toEqual(["ended KAYA_FENCED"]);
  });

  it("KAYA_FENCED ends the writer although the new head cannot be read", async () => {
    const { log, appender } = setUp("claimed-before");
    log.silentHeads = 100;
    expect(await codeOf(appender.append(batch(11)))).toBe("KAYA_FENCED");
    expect(appender.end?.code).toBe("KAYA_FENCED");
  });

  it("KAYA_DISK_FULL refuses the batch immediately, and the next one may succeed", async () => {
    const { log, appender } = setUp("disk-full");
    expect(await codeOf(appender.append(batch(11)))).toBe("KAYA_DISK_FULL");
    await appender.append({ ...batch(11), bytes: new Uint8Array([7]) });
    expect([...(log.entries[0]?.bytes ?? [])]).toEqual([7]);
  });

  it("KAYA_NO_MAJORITY is reported at the deadline, and the next batch may succeed", async () => {
    const { appender } = setUp(...Array<Fate>(100).fill("no-majority"));
    // A pause has at most 250 ms, so there are far fewer than 100 attempts.
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

describe("the outcome of an append, by a head that was read later", () => {
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
