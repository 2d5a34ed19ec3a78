import { existsSync } from "node:fs";
import { join } from "node:path";
import { SimDisk } from "@kaya/io";
import { afterAll, describe, expect, it, vi } from "vitest";
import { Engine, KayaError } from "../src/index.js";
import { holdUp, InterceptedDisk } from "./support/intercepted-disk.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { entriesOf, latin1, rejection } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const directories = temporaryDirectories();
afterAll(() => directories.remove());

async function filled(entries: number): Promise<Engine> {
  const engine = await Engine.open({}, new SimDisk());
  const keys = Array.from({ length: entries }, (_, i) => `key ${String(i).padStart(6, "0")}`);
  if (entries > 0) await engine.batch(keys.map((key) => ({ type: "put", key, value: "x".repeat(100) })));
  return engine;
}

describe("a backup", () => {
  it("opens as a data directory by itself, with what was there when it began", async () => {
    const engine = await filled(20);
    await engine.put("relaxed", "1", { durability: "relaxed" });
    const before = await entriesOf(engine.scan());
    const target = new SimDisk();
    const gate = holdUp(target, ({ kind }) => kind === "append");
    const running = engine.backup(gate.disk);
    await gate.held;
    await engine.put("later", "1");
    gate.release();
    expect(await running).toMatchObject({ lsn: 2, sequence: 21, entries: 21, bytes: expect.any(Number) });
    expect(engine.stats().snapshots.open).toBe(0);
    target.crash(); // it was durable
    const copy = await Engine.open({}, target);
    expect(await entriesOf(copy.scan())).toEqual(before);
    expect(copy.lastRecovery).toMatchObject({ recordCount: 0, checkpoint: { lsn: 2, entries: 21 } });
    expect(await copy.put("own", "1")).toMatchObject({ lsn: 3, sequence: 22, durable: true });
    await copy.close();
    const again = await Engine.open({}, target);
    expect(latin1((await again.get("own")) as Uint8Array)).toBe("1");
    await again.close();
    await engine.close();
  });

  it("whose process was killed before its name was durable has it durably once it is opened: what is written then stays", async () => {
    const engine = await filled(20);
    const target = new SimDisk();
    const gate = holdUp(target, ({ kind, path }) => kind === "syncDir" && path === "checkpoint");
    engine.backup(gate.disk).catch(() => undefined); // it never ends
    await gate.held;
    target.killProcess();
    const copy = await Engine.open({}, target);
    await copy.put("own", "1");
    target.crash();
    const again = await Engine.open({}, target);
    expect(again.stats().entries).toBe(21);
    expect(again.lastRecovery).toMatchObject({ recordCount: 1, checkpoint: { entries: 20 } });
    await again.close();
  });

  it("whose process was killed while it was taken away again does not come back over what is written there then", async () => {
    const engine = await filled(20);
    const target = new SimDisk();
    let syncs = 0;
    const gate = holdUp(
      target,
      ({ kind, path }) => kind === "syncDir" && path === "checkpoint" && ++syncs === 2,
    );
    const cancellation = new AbortController();
    const running = engine.backup(
      new InterceptedDisk(gate.disk, ({ kind, path }) => {
        if (kind === "readAt" && path.startsWith("checkpoint/")) cancellation.abort();
        return undefined;
      }),
      { signal: cancellation.signal },
    );
    running.catch(() => undefined); // it never ends
    await gate.held;
    target.killProcess();
    const own = await Engine.open({}, target);
    await own.put("own", "1");
    target.crash();
    const again = await Engine.open({}, target);
    expect(again.stats()).toMatchObject({ entries: 1, lastLsn: 1 });
    await again.close();
  });

  it("goes into a real directory, which it makes", async () => {
    const dir = join(await directories.make(), "a", "backup");
    const engine = await filled(3);
    await engine.backup(dir);
    const copy = await Engine.open({ dataDir: dir });
    expect(copy.stats().entries).toBe(3);
    await copy.close();
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(dir));
    await engine.close();
  });

  it("of an empty engine is one", async () => {
    const engine = await filled(0);
    const target = new SimDisk();
    expect(await engine.backup(target)).toMatchObject({ lsn: 0, entries: 0 });
    const copy = await Engine.open({}, target);
    expect(await copy.put("a", "1")).toMatchObject({ lsn: 1, sequence: 1 });
    await copy.close();
    await engine.close();
  });

  it("tells of its progress, and ends when it is told to, leaving nothing; the directory can be used again", async () => {
    const engine = await filled(20_000);
    const target = new SimDisk();
    const abort = new AbortController();
    const seen: number[] = [];
    const running = engine.backup(target, {
      signal: abort.signal,
      onProgress: ({ entries, totalEntries, bytes }) => {
        expect([totalEntries, bytes > 0]).toEqual([20_000, true]);
        seen.push(entries);
        if (seen.length === 3) abort.abort(new Error("enough"));
      },
    });
    await expect(running).rejects.toThrow("enough");
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(await target.list("checkpoint")).toEqual([]);
    await expect(engine.backup(target, { signal: abort.signal })).rejects.toThrow("enough");
    expect(await engine.backup(target)).toMatchObject({ entries: 20_000 });
    await engine.close();
  });

  it("that cannot be written leaves nothing and changes nothing here", async () => {
    const engine = await filled(5);
    for (const kind of ["append", "sync", "rename", "syncDir"]) {
      const target = new SimDisk();
      let calls = 0;
      const failing = new InterceptedDisk(target, (operation) =>
        operation.kind === kind && ++calls === 1
          ? Promise.reject(new KayaError("KAYA_IO", "broken"))
          : undefined,
      );
      await rejection("KAYA_IO", engine.backup(failing));
      expect(await target.list("checkpoint"), kind).toEqual([]);
    }
    await engine.put("still", "works");
    await engine.close();
  });

  it("that does not read back as it was written is refused, and taken away", async () => {
    const engine = await filled(5);
    const target = new SimDisk();
    // Between writing and reading back, once: a second flip would undo the first.
    let flips = 0;
    const once = new InterceptedDisk(target, ({ kind }) => {
      if (kind === "syncDir" && ++flips === 1) target.flipBit("checkpoint/0000000000000001.ckpt", 70, 1);
      return undefined;
    });
    await rejection("KAYA_CORRUPTION", engine.backup(once));
    expect(await target.list("checkpoint")).toEqual([]);
    await engine.close();
  });

  it("is refused where there is something, before anything is written", async () => {
    const engine = await filled(1);
    const dir = await directories.make();
    const there = await Engine.open({ dataDir: dir }); // one that was never written to holds nothing but its LOCK
    await there.put("a", "1");
    await there.close();
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(dir));
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(""));
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(7 as unknown as string));
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(new SimDisk(), { progress: 1 } as object));
    expect(existsSync(join(dir, "checkpoint"))).toBe(false);
    await engine.close();
    await rejection("KAYA_CLOSED", engine.backup(new SimDisk()));
  });
});
