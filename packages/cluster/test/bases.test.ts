import { Engine } from "@kaya/engine";
import { SimDisk } from "@kaya/io";
import { readLogHistory } from "@kaya/wal";
import { describe, expect, it } from "vitest";
import { type BlobStore, directoryBlobStore } from "../src/index.js";
import { collectBases } from "../src/shipment/collect-bases.js";
import { loadBase } from "../src/shipment/load-base.js";
import { makeBase } from "../src/shipment/make-base.js";
import { crashStates } from "./crashes.js";
import { FaultyBlobStore } from "./faulty-blob-store.js";
import { bytesOf, replaceBytes } from "./support/copies.js";

const WRITER = { epoch: 3, nodeId: "node one/a" };

async function namesIn(store: BlobStore): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list("")) names.push(name);
  return names;
}

async function rowsOf(engine: Engine): Promise<Record<string, string>> {
  const rows: Record<string, string> = {};
  for await (const { key, value } of engine.scan())
    rows[Buffer.from(key).toString()] = Buffer.from(value).toString();
  return rows;
}

async function fill(engine: Engine, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await engine.put(`key ${i % 40}`, `value ${i} ${"x".repeat(200)}`);
}

/** Makes a blob store, and an engine that has several tables. */
async function setUp() {
  const disk = new SimDisk();
  const engine = await Engine.open({}, disk);
  await fill(engine, 0, 50);
  await engine.flush();
  await fill(engine, 50, 70);
  const blobs = new SimDisk();
  return { disk, engine, blobs, store: directoryBlobStore(blobs) };
}

describe("a base", () => {
  it("is loaded into a directory with the same rows and the same log id, which continues at the next LSN", async () => {
    const { disk, engine, store } = await setUp();
    const token = await engine.changesToken();
    const made = await makeBase(engine, store, WRITER);
    expect(made).toMatchObject({ lsn: 70, sequence: 70 });
    const into = new SimDisk();
    const loaded = await loadBase(store, made.name, into);
    expect(loaded).toMatchObject({ lsn: 70, sequence: 70, logId: (await readLogHistory(disk))?.id });
    const copy = await Engine.open({}, into);
    expect(await rowsOf(copy)).toEqual(await rowsOf(engine));
    expect(await copy.put("next", "x")).toMatchObject({ lsn: 71, sequence: 71 });
    const feed = copy.changes({ since: token });
    expect((await feed.next()).value).toMatchObject({ lsn: 71 });
    await feed.return();
    await copy.close();
    await engine.close();
    const again = await Engine.open({}, into);
    expect(again.stats().lastLsn).toBe(71);
    expect((await readLogHistory(into))?.id).toBe(loaded.logId);
    await again.close();
  });

  it("of an empty store is loaded as an empty store", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const store = directoryBlobStore(new SimDisk());
    const { name, lsn } = await makeBase(engine, store, WRITER);
    expect(lsn).toBe(0);
    const into = new SimDisk();
    await loadBase(store, name, into);
    const copy = await Engine.open({}, into);
    expect(await copy.count()).toBe(0);
    await copy.close();
    await engine.close();
  });

  it("stores only tables that the previous base does not have", async () => {
    const { engine, store } = await setUp();
    const first = await makeBase(engine, store, WRITER);
    await fill(engine, 70, 80);
    const second = await makeBase(engine, store, { epoch: 4, nodeId: "b", previous: first.name });
    expect(first.newTables).toBe(2);
    expect(second.newTables).toBe(1);
    const into = new SimDisk();
    await loadBase(store, second.name, into);
    const copy = await Engine.open({}, into);
    expect(await rowsOf(copy)).toEqual(await rowsOf(engine));
    await copy.close();
    await engine.close();
  });

  it("is loaded only into an empty directory", async () => {
    const { engine, store } = await setUp();
    const { name } = await makeBase(engine, store, WRITER);
    const into = new SimDisk();
    await loadBase(store, name, into);
    await expect(loadBase(store, name, into)).rejects.toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
    const copy = await Engine.open({}, into);
    expect(await copy.count()).toBe(await engine.count());
    await copy.close();
    await engine.close();
  });

  it("is refused if one of its objects is damaged, cut or missing, and leaves nothing that can be opened", async () => {
    const { engine, store, blobs } = await setUp();
    const { name } = await makeBase(engine, store, WRITER);
    await engine.close();
    for (const object of await namesIn(store)) {
      const whole = await bytesOf(blobs, object);
      const damages: (Buffer | undefined)[] = [
        whole.subarray(0, whole.length - 1),
        whole.subarray(0, 3),
        undefined,
      ];
      for (let at = 0; at < whole.length; at += Math.max(1, Math.floor(whole.length / 12))) {
        const flipped = Buffer.from(whole);
        flipped[at] = (flipped[at] as number) ^ 0x10;
        damages.push(flipped);
      }
      damages.push(Buffer.concat([whole, Buffer.from("more")]));
      for (const damage of damages) {
        await replaceBytes(blobs, object, damage);
        const into = new SimDisk();
        await expect(loadBase(store, name, into)).rejects.toMatchObject({
          code: damage === undefined ? "KAYA_NOT_FOUND" : "KAYA_CORRUPTION",
          message: expect.stringContaining(object),
        });
        const left = await Promise.all(["", "sst", "wal", "manifest"].map((path) => into.list(path)));
        expect(left.flat().filter(({ path, isDirectory }) => !isDirectory && path !== "LOCK")).toEqual([]);
      }
      await replaceBytes(blobs, object, whole);
    }
    await loadBase(store, name, new SimDisk());
  });

  it("is loaded completely or not at all, at whatever step the machine stops", async () => {
    const { engine, store } = await setUp();
    const rows = await rowsOf(engine);
    const { name } = await makeBase(engine, store, WRITER);
    await engine.close();
    const seen = { empty: 0, refused: 0, whole: 0 };
    const states = await crashStates(new SimDisk(), (disk) => loadBase(store, name, disk));
    for (const state of states) {
      const opened = await Engine.open({}, state).catch((error: unknown) => error);
      if (opened instanceof Engine) {
        const found = await rowsOf(opened);
        const isEmpty = Object.keys(found).length === 0;
        seen[isEmpty ? "empty" : "whole"]++;
        if (!isEmpty) expect(found).toEqual(rows);
        expect(opened.stats().lastLsn).toBe(isEmpty ? 0 : 70);
        await opened.close();
      } else {
        seen.refused++;
        expect(opened).toMatchObject({
          code: "KAYA_INVALID_ARGUMENT",
          message: expect.stringContaining("UNFINISHED"),
        });
      }
    }
    // An empty directory is only possible before the mark is durable.
    expect(seen.empty).toBeLessThan(20);
    expect(seen.refused).toBeGreaterThan(20);
    expect(seen.whole).toBeGreaterThan(1);
  });

  it("leaves nothing that can be opened, at whatever step the disk fails", async () => {
    const { engine, store } = await setUp();
    const rows = await rowsOf(engine);
    const { name } = await makeBase(engine, store, WRITER);
    await engine.close();
    let failed = 0;
    for (const kind of ["io-error", "disk-full", "fsync-failed"] as const) {
      for (let at = 0; ; at++) {
        const into = new SimDisk({ faults: [{ at, kind }] });
        const error: unknown = await loadBase(store, name, into).catch((reason: unknown) => reason);
        if (into.nextOperation <= at) break;
        const opened = await Engine.open({}, into).catch((reason: unknown) => reason);
        if (opened instanceof Engine) {
          const found = await rowsOf(opened);
          if (error instanceof Error) expect(found).toEqual({});
          else expect(found).toEqual(rows);
          await opened.close();
        } else expect(opened).toMatchObject({ message: expect.stringContaining("UNFINISHED") });
        if (error instanceof Error) failed++;
      }
    }
    expect(failed).toBeGreaterThan(30);
  });

  it("can be made and loaded again, whichever call of the store failed", async () => {
    const { engine, blobs } = await setUp();
    const rows = await rowsOf(engine);
    let calls = 0;
    for (let call = 0; ; call++) {
      const store = new FaultyBlobStore(directoryBlobStore(blobs));
      store.fault = (each) => (each === call ? (call % 2 === 0 ? "before" : "after") : undefined);
      const into = new SimDisk();
      const attempt = async () => loadBase(store, (await makeBase(engine, store, WRITER)).name, into);
      const isDone = await attempt().then(
        () => true,
        (error: unknown) => {
          expect(error).toMatchObject({ code: "KAYA_IO" });
          return false;
        },
      );
      calls = call;
      if (!isDone) await attempt();
      const copy = await Engine.open({}, into);
      expect(await rowsOf(copy)).toEqual(rows);
      await copy.close();
      if (isDone && store.calls.length <= call) break;
    }
    expect(calls).toBeGreaterThan(8);
    await engine.close();
  });
});

describe("collecting bases", () => {
  it("removes bases and tables that no kept base names, and nothing of later epochs", async () => {
    const { engine, store } = await setUp();
    const first = await makeBase(engine, store, WRITER);
    await fill(engine, 70, 80);
    await engine.compact();
    const second = await makeBase(engine, store, { ...WRITER, previous: first.name });
    const later = await makeBase(engine, store, { epoch: 4, nodeId: "b", previous: second.name });
    const before = await namesIn(store);
    const removed = await collectBases(store, { keep: [second.name], epoch: 3 });
    const after = await namesIn(store);
    expect(removed).toBe(before.length - after.length);
    expect(removed).toBe(3);
    expect(after).not.toContain(first.name);
    for (const { name } of [second, later]) await loadBase(store, name, new SimDisk());
    await engine.close();
  });

  it("removes nothing if a base that it keeps is damaged", async () => {
    const { engine, store, blobs } = await setUp();
    const { name } = await makeBase(engine, store, WRITER);
    await makeBase(engine, store, WRITER);
    await replaceBytes(blobs, name, Buffer.from("no base"));
    const before = await namesIn(store);
    await expect(collectBases(store, { keep: [name], epoch: 3 })).rejects.toMatchObject({
      code: "KAYA_CORRUPTION",
    });
    expect(await namesIn(store)).toEqual(before);
    await engine.close();
  });
});
