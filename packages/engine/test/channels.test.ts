import { type ChannelListener, channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KayaError } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { WAL_CHANNELS } from "@kaya/wal";
import { afterEach, describe, expect, it } from "vitest";
import { ENGINE_CHANNELS, Engine, recover } from "../src/index.js";
import { InterceptedDisk } from "./support/intercepted-disk.js";

const CONFIG = { tables: { autoFlush: false } };
const subscriptions: [name: string, listener: ChannelListener][] = [];

afterEach(() => {
  for (const [name, listener] of subscriptions.splice(0)) unsubscribe(name, listener);
});

function listen<T = unknown>(name: string): T[] {
  const messages: T[] = [];
  const listener: ChannelListener = (message) => messages.push(message as T);
  subscribe(name, listener);
  subscriptions.push([name, listener]);
  return messages;
}

const durationMs = expect.any(Number);
const dataDir = undefined;

describe("the channels of an engine", () => {
  it("have the names that are documented", () => {
    expect(ENGINE_CHANNELS).toEqual({
      flush: "kaya:engine:flush",
      recovery: "kaya:engine:recovery",
      state: "kaya:engine:state",
      source: "kaya:engine:source",
    });
  });

  it("tell of each engine that is opened, and once it is closed", async () => {
    const directory = await mkdtemp(join(tmpdir(), "kaya-channels-"));
    const messages = listen(ENGINE_CHANNELS.state);
    const engine = await Engine.open({ dataDir: directory });
    const opened = { dataDir: directory, state: "open", engine };
    expect(messages).toEqual([opened]);
    expect(engine.dataDir).toBe(directory);
    const closing = engine.close();
    expect(messages).toHaveLength(1);
    await closing;
    expect(messages).toEqual([opened, { ...opened, state: "closed" }]);
    await rm(directory, { recursive: true });
  });

  it("tell of a flush when it begins and when it is done", async () => {
    const engine = await Engine.open(CONFIG, new SimDisk());
    await engine.put("a", "1");
    const messages = listen(ENGINE_CHANNELS.flush);
    const running = engine.flush();
    expect(messages).toStrictEqual([{ dataDir, phase: "started" }]);
    const result = await running;
    expect(messages.slice(1)).toStrictEqual([{ dataDir, phase: "finished", durationMs, result }]);
    await engine.close();
  });

  it("tell of one that a full disk ended, with the error that stats() has", async () => {
    const disk = new InterceptedDisk(new SimDisk(), ({ kind, path }) =>
      kind === "append" && path.startsWith("sst/")
        ? Promise.reject(new KayaError("KAYA_DISK_FULL", "no space left"))
        : undefined,
    );
    const engine = await Engine.open({ memory: { memtableBytes: 20_000 } }, disk);
    const failures: unknown[] = [];
    const listener: ChannelListener = (message) => {
      if ((message as { phase: string }).phase === "failed") {
        failures.push(message, engine.stats().flush.error);
      }
    };
    subscribe(ENGINE_CHANNELS.flush, listener);
    subscriptions.push([ENGINE_CHANNELS.flush, listener]);
    for (let i = 0; failures.length === 0; i++) await engine.put(`key ${i % 5}`, "x".repeat(50));
    const [message, error] = failures;
    expect(KayaError.is(error, "KAYA_DISK_FULL")).toBe(true);
    expect(message).toStrictEqual({ dataDir, phase: "failed", durationMs, error });
    await engine.close();
  });

  it("tell the end of a flush that closing broke off", async () => {
    const engine = await Engine.open(CONFIG, new SimDisk());
    await engine.put("a", "1");
    const messages = listen<{ phase: string }>(ENGINE_CHANNELS.flush);
    const outcome = engine.flush().catch((error: unknown) => error);
    await engine.close();
    expect(KayaError.is(await outcome, "KAYA_CLOSED")).toBe(true);
    expect(messages.map(({ phase }) => phase)).toEqual(["started", "failed"]);
    expect(engine.stats().flush).toEqual({ isRunning: false, finished: 0, failed: 0, heldUp: 0 });
  });

  it("tell what recovery found, and that it refused", async () => {
    const disk = new SimDisk();
    const messages = listen(ENGINE_CHANNELS.recovery);
    const engine = await Engine.open(CONFIG, disk);
    const result = engine.lastRecovery;
    expect(messages.splice(0)).toStrictEqual([
      { dataDir, phase: "started" },
      { dataDir, phase: "finished", durationMs, result },
    ]);
    await engine.put("a", "1");
    await engine.flush();
    await engine.close();
    const report = await recover(CONFIG, disk);
    expect(messages.splice(0).at(-1)).toMatchObject({ phase: "finished", result: report });
    await recover(CONFIG, disk, { dryRun: true }); // recovers nothing
    expect(messages).toEqual([]);

    const [table] = await disk.list("sst");
    disk.truncateDurably(table?.path ?? "", 50);
    const error = await Engine.open(CONFIG, disk).catch((reason: unknown) => reason);
    expect(KayaError.is(error, "KAYA_CORRUPTION")).toBe(true);
    expect(messages.at(-1)).toStrictEqual({ dataDir, phase: "failed", durationMs, error });
  });

  it("name the directory, as those of the log do", async () => {
    const root = await mkdtemp(join(tmpdir(), "kaya-channels-"));
    const { source: _ofOthers, ...own } = ENGINE_CHANNELS;
    const names = [...Object.values(own), WAL_CHANNELS.commit];
    const messages = names.map((name) => listen<{ dataDir: string }>(name));
    const engine = await Engine.open({ ...CONFIG, dataDir: join(root, "data") });
    await engine.put("a", "1");
    await engine.flush();
    await engine.close();
    await rm(root, { recursive: true });
    for (const told of messages) {
      expect(told.length).toBeGreaterThan(0);
      for (const { dataDir } of told) expect(dataDir).toBe(join(root, "data"));
    }
  });

  it("do not let a subscriber that throws harm an opening or a flush", async () => {
    const uncaught: unknown[] = [];
    process.setUncaughtExceptionCaptureCallback((error) => uncaught.push(error));
    try {
      for (const name of Object.values(ENGINE_CHANNELS)) {
        const listener = () => {
          throw new Error(name);
        };
        subscribe(name, listener);
        subscriptions.push([name, listener]);
        expect(channel(name).hasSubscribers).toBe(true);
      }
      const engine = await Engine.open(CONFIG, new SimDisk());
      await engine.put("a", "1");
      expect(await engine.flush()).toMatchObject({ lsn: 1 });
      await engine.close();
      await new Promise(setImmediate);
    } finally {
      process.setUncaughtExceptionCaptureCallback(null);
    }
    expect(uncaught).toHaveLength(6);
  });
});
