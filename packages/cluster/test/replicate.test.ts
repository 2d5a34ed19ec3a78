import { Engine, type KayaError } from "@kaya/engine";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { type BlobStore, directoryBlobStore, listRestorable, replicate, restore } from "../src/index.js";
import { crashStates } from "./crashes.js";
import { FaultyBlobStore } from "./faulty-blob-store.js";
import { namesIn, QUIET, type Rows, restoredRows, rowsOf } from "./support/copies.js";

async function fill(engine: Engine, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await engine.put(`key ${i % 40}`, `value ${i}`);
}

describe("replicate", () => {
  it("ships durable records, and restore gives the state at any LSN", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const store = directoryBlobStore(new SimDisk());
    const states: Rows[] = [{}];
    await fill(engine, 0, 10);
    const replica = await replicate(engine, store, QUIET);
    expect(replica.lag).toEqual({ records: 0, ms: 0 });
    for (let i = 0; i < 30; i++) {
      await engine.batch([
        { type: "put", key: `a ${i % 7}`, value: `${i}` },
        { type: "delete", key: `key ${i}` },
      ]);
      states[engine.stats().lastLsn] = await rowsOf(engine);
      if (i % 9 === 4) await engine.flush();
      if (i % 3 === 2) await replica.sync();
      else expect(replica.lag.records).toBeGreaterThan(0);
    }
    expect((await replica.sync()).lsn).toBe(40);
    for (let lsn = 11; lsn <= 40; lsn++) expect((await restoredRows(store, lsn)).rows).toEqual(states[lsn]);
    expect(await restoredRows(store)).toEqual({ rows: states[40], lsn: 40 });
    await replica.close();
    await engine.close();
  });

  it("continues after a restart without shipping tables again", async () => {
    const disk = new SimDisk();
    const blobs = new SimDisk();
    const store = directoryBlobStore(blobs);
    const generations: string[] = [];
    for (let round = 0; round < 4; round++) {
      const engine = await Engine.open({}, disk);
      const replica = await replicate(engine, store, { ...QUIET, baseBytes: 1 });
      replica.on("generation", (_, why) => generations.push(why));
      await fill(engine, round * 20, round * 20 + 20);
      await engine.flush();
      await replica.sync();
      await replica.close();
      await engine.close();
    }
    expect(generations).toEqual([]);
    const restorable = await listRestorable(store);
    expect(restorable).toHaveLength(1);
    expect(restorable[0]).toMatchObject({ first: { lsn: 0 }, last: { lsn: 80 } });
    const tables = await namesIn(store, "tables/");
    expect(new Set(tables.map((name) => name.split("/")[2])).size).toBe(tables.length);
    for (const lsn of [5, 20, 33, 60, 61, 80]) expect((await restoredRows(store, lsn)).lsn).toBe(lsn);
  });

  it("continues after the process was killed", async () => {
    const disk = new SimDisk();
    const store = directoryBlobStore(new SimDisk());
    for (let round = 0; round < 3; round++) {
      const engine = await Engine.open({}, disk.session());
      await replicate(engine, store, QUIET);
      await fill(engine, round * 20, round * 20 + 20);
      const replica = await replicate(engine, store, QUIET);
      await replica.sync();
      disk.killProcess();
    }
    expect(await listRestorable(store)).toHaveLength(1);
    expect((await restoredRows(store, 47)).lsn).toBe(47);
    expect((await restoredRows(store)).lsn).toBe(60);
  });

  it("begins a new generation if the shipped end of the log was replaced by another one", async () => {
    const disk = new SimDisk();
    const store = directoryBlobStore(new SimDisk());
    const engine = await Engine.open({}, disk.session());
    await fill(engine, 0, 10);
    const older = disk.fork();
    await fill(engine, 10, 20);
    const replica = await replicate(engine, store, QUIET);
    await replica.close();
    await engine.close();

    // An older copy of the directory with the same log id.
    const copy = await Engine.open({}, older);
    for (let i = 0; i < 30; i++) await copy.put(`other ${i}`, "x");
    const rows = await rowsOf(copy);
    const again = await replicate(copy, store, QUIET);
    await again.close();
    await copy.close();
    const restorable = await listRestorable(store);
    expect(restorable.map(({ last }) => last.lsn)).toEqual([20, 40]);
    expect(await restoredRows(store)).toEqual({ rows, lsn: 40 });
  });

  it("begins a new generation for a restored store, and restores both", async () => {
    const store = directoryBlobStore(new SimDisk());
    const engine = await Engine.open({}, new SimDisk());
    const replica = await replicate(engine, store, QUIET);
    await fill(engine, 0, 20);
    const token = await engine.changesToken();
    await replica.close();
    await engine.close();
    const disk = new SimDisk();
    await restore(store, { disk, lsn: 15 });
    const restored = await Engine.open({}, disk);
    expect(() => restored.changes({ since: token })).toThrow(
      expect.objectContaining({ code: "KAYA_LOG_TRUNCATED" }),
    );
    await restored.put("new", "1");
    const second = await replicate(restored, store, QUIET);
    await second.close();
    await restored.close();
    expect(await listRestorable(store)).toHaveLength(2);
    const { rows, lsn } = await restoredRows(store);
    expect([lsn, rows.new]).toEqual([16, "1"]);
    expect((await restoredRows(store, 20)).rows.new).toBeUndefined();
  });

  it("stops if another process began to ship into the same store, and corrupts nothing", async () => {
    const store = directoryBlobStore(new SimDisk());
    const [one, two] = [await Engine.open({}, new SimDisk()), await Engine.open({}, new SimDisk())];
    await fill(one, 0, 10);
    const first = await replicate(one, store, QUIET);
    const failed: KayaError[] = [];
    first.on("failed", (error) => failed.push(error));
    await fill(two, 20, 25);
    const second = await replicate(two, store, QUIET);
    await fill(one, 10, 12);
    await expect(first.sync()).rejects.toMatchObject({
      code: "KAYA_FENCED",
      message: expect.stringContaining("process"),
    });
    expect(failed).toHaveLength(1);
    expect(first.failure?.code).toBe("KAYA_FENCED");
    await fill(two, 25, 30);
    await second.close();
    await first.close();
    expect(await restoredRows(store)).toEqual({ rows: await rowsOf(two), lsn: 10 });
    expect((await listRestorable(store)).map(({ last }) => last.lsn)).toEqual([10, 10]);
    await one.close();
    await two.close();
  });

  it("restores to a time", async () => {
    let now = 1_000_000;
    const store = directoryBlobStore(new SimDisk());
    const engine = await Engine.open({}, new SimDisk());
    const replica = await replicate(engine, store, { ...QUIET, now: () => now });
    for (let i = 1; i <= 5; i++) {
      now += 1000;
      await engine.put("n", `${i}`);
      await replica.sync();
    }
    await replica.close();
    await engine.close();
    for (let i = 0; i <= 5; i++) {
      const result = await restore(store, { disk: new SimDisk(), time: 1_000_999 + i * 1000 });
      expect([result.lsn, result.time]).toEqual([i, 1_000_000 + i * 1000]);
    }
    await expect(restore(store, { disk: new SimDisk(), time: 999_999 })).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
      message: expect.stringContaining("LSN 0 to 5"),
    });
    await expect(restore(store, { disk: new SimDisk(), lsn: 6 })).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
    });
  });

  it("removes only objects that are older than keepMs", async () => {
    let now = 1_000_000;
    const disk = new SimDisk();
    const store = directoryBlobStore(new SimDisk());
    await store.put("somebody/elses", new Uint8Array(3));
    const options = { ...QUIET, now: () => now, keepMs: 10_000, baseBytes: 1 };
    const models: Rows[] = [{}];
    for (let round = 0; round < 30; round++) {
      const engine = await Engine.open({}, disk);
      const replica = await replicate(engine, store, options);
      now += 1000;
      await fill(engine, round * 7, round * 7 + 7);
      models[engine.stats().lastLsn] = await rowsOf(engine);
      await replica.sync();
      if (round % 5 === 3) await engine.compact();
      await replica.close();
      await engine.close();
    }
    const [only, ...more] = await listRestorable(store);
    expect(more).toEqual([]);
    expect(only?.first.time).toBeGreaterThan(now - 13_000);
    expect(only?.first.time).toBeLessThanOrEqual(now - 10_000);
    expect(only?.last.lsn).toBe(210);
    for (let lsn = 210; lsn >= (only?.first.lsn ?? 0); lsn -= 7)
      expect((await restoredRows(store, lsn)).rows).toEqual(models[lsn]);
    const names = await namesIn(store);
    expect(names).toContain("somebody/elses");
    expect(names.length).toBeLessThan(100);
    const bases = await namesIn(store, "copy/");
    expect(bases.length).toBeLessThan(14);
  });

  it("reports trouble, tries again, and loses nothing, whichever calls of the store fail", async () => {
    let met = 0;
    for (let call = 0; ; call++) {
      const kind = call % 2 === 0 ? "before" : "after";
      const disk = new SimDisk();
      const store = new FaultyBlobStore(directoryBlobStore(new SimDisk()));
      // Two calls in a row fail.
      store.fault = (each) => (each === call || each === call + 1 ? kind : undefined);
      const engine = await Engine.open({}, disk);
      await fill(engine, 0, 10);
      const replica = await replicate(engine, store, { ...QUIET, baseBytes: 1, keepMs: 0 });
      const patiently = async () => {
        for (let attempt = 1; ; attempt++) {
          try {
            return await replica.sync();
          } catch (error) {
            expect(error).toMatchObject({ code: "KAYA_IO" });
            if (attempt === 4) throw error;
          }
        }
      };
      for (let round = 1; round < 4; round++) {
        await fill(engine, round * 10, round * 10 + 10);
        await patiently();
      }
      await replica.close().catch(() => undefined);
      const rows = await rowsOf(engine);
      await engine.close();
      const calls = store.calls.length;
      store.fault = () => undefined;
      expect(await restoredRows(store)).toEqual({ rows, lsn: 40 });
      expect(await listRestorable(store)).toHaveLength(1);
      if (calls <= call) break;
      met++;
    }
    expect(met).toBeGreaterThan(30);
  });

  it("is restored up to the last shipped record, whenever the store's machine stops", async () => {
    const blobs = new SimDisk();
    const engine = await Engine.open({}, new SimDisk());
    await fill(engine, 0, 10);
    const models: Rows[] = [{}];
    models[10] = await rowsOf(engine);
    const states = await crashStates(blobs, async (disk) => {
      const replica = await replicate(engine, directoryBlobStore(disk), {
        ...QUIET,
        baseBytes: 1,
        keepMs: 0,
      });
      for (let lsn = 11; lsn < 15; lsn++) {
        await engine.put(`key ${lsn}`, "x");
        models[lsn] = await rowsOf(engine);
        await replica.sync();
      }
      await replica.close();
    });
    await engine.close();
    let last = 0;
    const seen = new Set<number>();
    for (const [index, state] of states.entries()) {
      const store = directoryBlobStore(state);
      const found = await restoredRows(store).catch((error: unknown) => {
        expect(error).toMatchObject({ code: "KAYA_NOT_FOUND" });
        return undefined;
      });
      if (found === undefined) {
        expect(last).toBe(0);
        continue;
      }
      expect(found.rows).toEqual(models[found.lsn]);
      seen.add(found.lsn);
      if (index % 3 === 0) {
        expect(found.lsn).toBeGreaterThanOrEqual(last);
        last = found.lsn;
      }
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([0, 10, 11, 12, 13, 14]);
  });
});

it.each([undefined, null, "./replica", {}, { put: () => undefined }])(
  "replicate, restore and listRestorable refuse %o, which is no blob store",
  async (given) => {
    const store = given as unknown as BlobStore;
    const db = await Engine.open({}, new SimDisk());
    const refusal = {
      code: "KAYA_INVALID_ARGUMENT",
      message: expect.stringContaining("must be a blob store"),
    };
    await expect(replicate(db, store)).rejects.toMatchObject(refusal);
    await expect(restore(store, { disk: new SimDisk() })).rejects.toMatchObject(refusal);
    await expect(listRestorable(store)).rejects.toMatchObject(refusal);
    await db.close();
  },
);
