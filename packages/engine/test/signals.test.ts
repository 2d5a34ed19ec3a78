import { getEventListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { SimDisk } from "@kaya/io";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Changes, Engine, recoverTo } from "../src/index.js";
import { rejection } from "./support/text.js";

const warnings: Error[] = [];
const onWarning = (warning: Error) => warnings.push(warning);
beforeEach(() => void process.on("warning", onWarning));
afterEach(() => {
  process.off("warning", onWarning);
  warnings.splice(0);
});

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

async function withFeeds(count: number, signal: AbortSignal) {
  const engines = await Promise.all([Engine.open({}, new SimDisk()), Engine.open({}, new SimDisk())]);
  const feeds: Changes[] = [];
  for (let i = 0; i < count; i++) feeds.push((engines[i % 2] as Engine).changes({ signal }));
  const waiting = feeds.map((feed) => feed.next());
  const close = () => Promise.all(engines.map((engine) => engine.close()));
  return { engines, feeds, waiting, close };
}

describe("a signal of many feeds", () => {
  it("has one listener, however many feeds of however many engines, and no warning of a leak", async () => {
    const { signal, abort } = newSignal();
    const { waiting, close } = await withFeeds(40, signal);
    expect(listeners(signal)).toBe(1);
    await sleep(5); // a warning comes in a later turn
    expect(warnings).toEqual([]);
    abort("enough");
    const outcomes = await Promise.allSettled(waiting);
    expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason)).toEqual(
      Array.from({ length: 40 }, () => "enough"),
    );
    expect(listeners(signal)).toBe(0);
    await close();
  });

  it("loses it when the last feed ends, and gets another with the next feed", async () => {
    const { signal, abort } = newSignal();
    const { engines, feeds, waiting, close } = await withFeeds(3, signal);
    for (const [i, feed] of feeds.entries()) {
      expect(listeners(signal)).toBe(1);
      await feed.return();
      await feed.return();
      expect(await waiting[i]).toEqual({ done: true, value: undefined });
    }
    expect(listeners(signal)).toBe(0);
    const next = (engines[0] as Engine).changes({ signal }).next();
    expect(listeners(signal)).toBe(1);
    abort("later");
    await expect(next).rejects.toBe("later");
    expect(listeners(signal)).toBe(0);
    await close();
    const aborted = (await Engine.open({}, new SimDisk())) as Engine;
    expect(() => aborted.changes({ signal })).toThrow("later");
    await aborted.close();
  });

  it("loses it when the engine closes", async () => {
    const { signal } = newSignal();
    const { waiting, close } = await withFeeds(4, signal);
    const outcomes = Promise.allSettled(waiting);
    await close();
    expect((await outcomes).map(({ status }) => status)).toEqual(Array(4).fill("rejected"));
    expect(listeners(signal)).toBe(0);
  });
});

it("a backup and recoverTo leave no listener, done or broken off", async () => {
  const disk = new SimDisk();
  const engine = await Engine.open({}, disk);
  await engine.put("a", "1");
  const { signal, abort } = newSignal();
  await engine.backup(new SimDisk(), { signal });
  await recoverTo({}, { lsn: 1, into: new SimDisk(), signal }, disk);
  abort("stop");
  await expect(engine.backup(new SimDisk(), { signal })).rejects.toBe("stop");
  await expect(recoverTo({}, { lsn: 1, into: new SimDisk(), signal }, disk)).rejects.toBe("stop");
  expect(listeners(signal)).toBe(0);
  await engine.close();
});

it("a signal of another environment is one, by its methods; what only looks like one is refused", async () => {
  const engine = await Engine.open({}, new SimDisk());
  // As jsdom's: its own class, without throwIfAborted.
  const foreign = Object.assign(new EventTarget(), { aborted: false, reason: undefined as unknown });
  const next = engine.changes({ signal: foreign as unknown as AbortSignal }).next();
  Object.assign(foreign, { aborted: true, reason: "foreign" });
  foreign.dispatchEvent(new Event("abort"));
  await expect(next).rejects.toBe("foreign");
  for (const signal of [
    {},
    { aborted: false },
    "signal",
    Object.create(AbortSignal.prototype),
    new EventTarget(),
  ]) {
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(new SimDisk(), { signal: signal as AbortSignal }));
    expect(() => engine.changes({ signal: signal as AbortSignal })).toThrow("must be an AbortSignal");
  }
  await engine.close();
});

function newSignal(): { signal: AbortSignal; abort: (reason: unknown) => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}
