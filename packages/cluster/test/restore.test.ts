import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Engine } from "@kaya/engine";
import { markUnfinished } from "@kaya/engine/shipping";
import { NodeDisk, SimDisk } from "@kaya/io";
import { listSegments } from "@kaya/wal";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BlobStore,
  directoryBlobStore,
  listRestorable,
  replicate,
  restore,
  s3BlobStore,
} from "../src/index.js";
import { loadBase } from "../src/shipment/load-base.js";
import { crashStates } from "./crashes.js";
import { type S3Server, startS3Server } from "./s3-server.js";
import { bytesOf, namesIn, QUIET, type Rows, replaceBytes, restoredRows, rowsOf } from "./support/copies.js";

/** Makes a replica with two runs, with tables and records, and the state of each LSN. */
async function replicaWithAll(blobs: SimDisk): Promise<{ store: BlobStore; models: Rows[]; disk: SimDisk }> {
  const [disk, store] = [new SimDisk(), directoryBlobStore(blobs)];
  const models: Rows[] = [{}];
  for (let round = 0; round < 2; round++) {
    const engine = await Engine.open({}, disk);
    const replica = await replicate(engine, store, { ...QUIET, baseBytes: 300 });
    for (let i = 0; i < 6; i++) {
      await engine.batch([
        { type: "put", key: `key ${i}`, value: `${round} ${"x".repeat(30)}` },
        { type: "put", key: `last`, value: `${round} ${i}` },
      ]);
      models[engine.stats().lastLsn] = await rowsOf(engine);
      if (i % 2 === 1) await replica.sync();
    }
    await replica.close();
    await engine.close();
  }
  return { store, models, disk };
}

/** Makes a replica whose last table is damaged. */
async function brokenReplica(): Promise<{ store: BlobStore; broken: string }> {
  const blobs = new SimDisk();
  const [disk, store] = [new SimDisk(), directoryBlobStore(blobs)];
  const engine = await Engine.open({}, disk);
  await engine.put("a", "1");
  await engine.flush();
  const replica = await replicate(engine, store, QUIET);
  await replica.close();
  await engine.close();
  const broken = (await namesIn(store, "tables/")).at(-1) as string;
  const bytes = await bytesOf(blobs, broken);
  bytes[10] = (bytes[10] as number) ^ 0x04;
  await replaceBytes(blobs, broken, bytes);
  return { store, broken };
}

async function baseOf(store: BlobStore): Promise<string> {
  return (await namesIn(store, "copy/")).at(-1) as string;
}

describe("restore", () => {
  it("gives the same records as the log, byte for byte", async () => {
    const [disk, store] = [new SimDisk(), directoryBlobStore(new SimDisk())];
    const engine = await Engine.open({}, disk);
    const replica = await replicate(engine, store, QUIET);
    await engine.put("a", "1");
    await engine.put("b", "2", { expiresAt: 4_000_000_000_000 });
    await engine.batch([{ type: "put", key: "c", value: "3" }]);
    await engine
      .batch([
        { type: "put", key: "d", value: "4", expiresAt: 4_000_000_000_000 },
        { type: "clear", range: { gte: "x" } } as never,
        { type: "delete", key: "a" },
      ])
      .catch(() => engine.batch([{ type: "delete", key: "a" }]));
    await engine.delete("a");
    await engine.clear({ gte: "b", lt: "c" });
    await engine.clear();
    await replica.close();
    await engine.close();
    const into = new SimDisk();
    await restore(store, { disk: into });
    const [from, to] = [(await listSegments(disk)).segments, (await listSegments(into)).segments];
    expect([from.length, to.length]).toEqual([1, 1]);
    expect(await bytesOf(into, to[0]?.path as string)).toEqual(await bytesOf(disk, from[0]?.path as string));
  });

  it("refuses each damaged, cut or missing object that it needs, names it, and leaves nothing", async () => {
    const blobs = new SimDisk();
    const { store, models } = await replicaWithAll(blobs);
    const outcomes = { refused: 0, unneeded: 0 };
    for (const object of await namesIn(store)) {
      const whole = await bytesOf(blobs, object);
      const damages: (Buffer | undefined)[] = [undefined];
      if (whole.length > 0) damages.push(whole.subarray(0, whole.length - 1), Buffer.concat([whole, whole]));
      for (let at = 0; at < whole.length; at += Math.max(1, Math.floor(whole.length / 4))) {
        const flipped = Buffer.from(whole);
        flipped[at] = (flipped[at] as number) ^ 0x04;
        damages.push(flipped);
      }
      for (const damage of damages) {
        await replaceBytes(blobs, object, damage);
        for (const lsn of [5, 12]) {
          const into = new SimDisk();
          const error = await restore(store, { disk: into, lsn }).catch((reason: unknown) => reason);
          if (error instanceof Error) {
            outcomes.refused++;
            if (damage !== undefined) expect(error.message).toContain(object);
            expect(["KAYA_CORRUPTION", "KAYA_NOT_FOUND", "KAYA_INVALID_ARGUMENT"]).toContain(
              (error as { code?: string }).code,
            );
            const left = await Promise.all(["", "sst", "wal", "manifest"].map((path) => into.list(path)));
            expect(left.flat().filter(({ isDirectory }) => !isDirectory)).toEqual([]);
          } else {
            outcomes.unneeded++;
            const copy = await Engine.open({}, into);
            expect(await rowsOf(copy)).toEqual(models[lsn]);
            await copy.close();
          }
        }
      }
      await replaceBytes(blobs, object, whole);
    }
    expect(outcomes.refused).toBeGreaterThan(40);
    expect((await restoredRows(store)).lsn).toBe(12);
  });

  it("reports that the end is missing if the last records of a closed replica were removed", async () => {
    const blobs = new SimDisk();
    const { store } = await replicaWithAll(blobs);
    const chunks = await namesIn(store, "log/");
    const copies = await namesIn(store, "copy/");
    for (const copy of copies.slice(1)) await blobs.remove(copy);
    await blobs.remove(chunks.at(-1) as string);
    await expect(restore(store, { disk: new SimDisk() })).rejects.toMatchObject({
      code: "KAYA_CORRUPTION",
      message: expect.stringContaining("LSN 11 to 12"),
    });
  });

  it("leaves a complete store, or nothing that can be opened, at whatever step the machine stops", async () => {
    const { store, models } = await replicaWithAll(new SimDisk());
    const seen = { empty: 0, refused: 0, whole: 0 };
    for (const state of await crashStates(new SimDisk(), (disk) => restore(store, { disk }))) {
      const opened = await Engine.open({}, state).catch((error: unknown) => error);
      if (!(opened instanceof Engine)) {
        expect(opened).toMatchObject({ message: expect.stringContaining("UNFINISHED") });
        seen.refused++;
        continue;
      }
      const rows = await rowsOf(opened);
      seen[Object.keys(rows).length === 0 ? "empty" : "whole"]++;
      if (Object.keys(rows).length > 0) expect(rows).toEqual(models[12]);
      await opened.close();
    }
    expect(seen.empty).toBeLessThan(20);
    expect(seen.refused).toBeGreaterThan(20);
    expect(seen.whole).toBeGreaterThan(1);
  });

  it("rejects with the reason of its signal, and leaves nothing", async () => {
    const { store } = await replicaWithAll(new SimDisk());
    const controller = new AbortController();
    const reason = new Error("enough");
    const into = new SimDisk();
    const restoring = restore(store, {
      disk: into,
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(restoring).rejects.toBe(reason);
    expect((await into.list("")).filter(({ isDirectory }) => !isDirectory)).toEqual([]);
  });

  it("removes the directories that it made if it fails, but not those that existed before", async () => {
    const { store, broken } = await brokenReplica();
    const work = await mkdtemp(join(tmpdir(), "kaya-restore-"));
    try {
      const [absent, empty, own] = ["new/absent", "empty", "own"].map((name) => join(work, name)) as [
        string,
        string,
        string,
      ];
      await mkdir(empty);
      await mkdir(join(own, "sst"), { recursive: true });
      for (const dataDir of [absent, empty, own]) {
        await expect(restore(store, { dataDir })).rejects.toMatchObject({
          code: "KAYA_CORRUPTION",
          message: expect.stringContaining(broken),
        });
        await expect(loadBase(store, await baseOf(store), dataDir)).rejects.toMatchObject({
          code: "KAYA_CORRUPTION",
        });
      }
      expect((await readdir(work)).sort()).toEqual(["empty", "own"]);
      expect([await readdir(empty), await readdir(own)]).toEqual([[], ["sst"]]);
      await expect(Engine.open({ dataDir: absent, readOnly: true })).rejects.toMatchObject({
        code: "KAYA_NOT_FOUND",
      });
      const kept = await mkdtemp(join(work, "kept-"));
      await (await new NodeDisk(kept).lock("LOCK")).release();
      await expect(restore(store, { dataDir: kept })).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
      expect(await readdir(kept)).toEqual(["LOCK"]);
    } finally {
      await rm(work, { recursive: true });
    }
  });

  it("begins again in a directory in which a restore was killed", async () => {
    const { store, models } = await replicaWithAll(new SimDisk());
    const seen = { again: 0, refused: 0, whole: 0 };
    for (const state of await crashStates(new SimDisk(), (disk) => restore(store, { disk }))) {
      const isUnfinished = (await state.list("")).some(({ path }) => path === "UNFINISHED");
      const hasManifest = (await state.list("manifest")).some(({ path }) => path.endsWith(".manifest"));
      const error = await restore(store, { disk: state }).catch((reason: unknown) => reason);
      if (!(error instanceof Error)) {
        expect(hasManifest).toBe(false);
        const copy = await Engine.open({}, state);
        expect(await rowsOf(copy)).toEqual(models[12]);
        await copy.close();
        if (isUnfinished) seen.again++;
        continue;
      }
      // The store may be complete: the crash may have only brought the mark back.
      expect(error).toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
      expect(hasManifest).toBe(true);
      seen[isUnfinished ? "refused" : "whole"]++;
    }
    expect(seen.again).toBeGreaterThan(20);
    expect(seen.whole).toBeGreaterThan(0);
  });

  it("begins again only if a restore was killed in the directory and there are no other files", async () => {
    const { store } = await replicaWithAll(new SimDisk());
    const unfinished = async (what: string) => {
      const disk = new SimDisk();
      await markUnfinished(disk, what);
      const table = await disk.open("sst/0000000000000001.sst", { create: true });
      await table.append(Buffer.from("half a table"));
      await table.close();
      return disk;
    };
    const damaged = await unfinished("a restored store");
    await replaceBytes(damaged, "UNFINISHED", Buffer.from("kaya"));
    const refusals: SimDisk[] = [await unfinished("the loading of a base"), damaged];
    for (const path of [
      "mine.txt",
      "sst/mine.txt",
      "wal/mine.txt",
      "NODE",
      "REPLICA",
      "manifest/0000000000000001.manifest",
    ]) {
      const disk = await unfinished("a restored store");
      await (await disk.open(path, { create: true })).close();
      refusals.push(disk);
    }
    for (const disk of refusals) {
      await expect(restore(store, { disk })).rejects.toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
      expect((await disk.list("sst")).map(({ path }) => path)).toContain("sst/0000000000000001.sst");
    }
    const disk = await unfinished("a restored store");
    const held = await disk.lock("LOCK");
    await expect(restore(store, { disk })).rejects.toMatchObject({ code: "KAYA_LOCK_CONFLICT" });
    await held.release();
    await expect(restore(store, { disk, config: { disableLocking: true } })).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
    });
    await restore(store, { disk });
    expect((await Engine.open({}, disk)).stats().lastLsn).toBe(12);
  });

  it("leaves nothing if it begins again and fails", async () => {
    const { store } = await brokenReplica();
    const disk = new SimDisk();
    await (await disk.lock("LOCK")).release();
    await markUnfinished(disk, "a restored store");
    await expect(restore(store, { disk })).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    expect((await disk.list("")).filter(({ isDirectory }) => !isDirectory)).toEqual([]);
  });

  it("leaves no file if the loading of a base fails", async () => {
    const { store } = await brokenReplica();
    const into = new SimDisk();
    await expect(loadBase(store, await baseOf(store), into)).rejects.toMatchObject({
      code: "KAYA_CORRUPTION",
    });
    const left = await Promise.all(["", "sst", "wal", "manifest"].map((path) => into.list(path)));
    expect(left.flat().filter(({ isDirectory }) => !isDirectory)).toEqual([]);
  });

  it("chooses the history by its generation if two have the same LSN", async () => {
    const store = directoryBlobStore(new SimDisk());
    for (const value of ["earlier", "later"]) {
      const engine = await Engine.open({}, new SimDisk());
      await engine.put("a", value);
      const replica = await replicate(engine, store, QUIET);
      await replica.close();
      await engine.close();
    }
    const generations = (await listRestorable(store)).map(({ generation }) => generation);
    expect(generations).toHaveLength(2);
    for (const [index, value] of ["earlier", "later"].entries()) {
      const generation = generations[index] as string;
      const disk = new SimDisk();
      expect(await restore(store, { disk, lsn: 1, generation })).toMatchObject({ generation, lsn: 1 });
      const copy = await Engine.open({}, disk);
      expect(await rowsOf(copy)).toEqual({ a: value });
      await copy.close();
    }
    const into = new SimDisk();
    await expect(restore(store, { disk: into, generation: "none" })).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
      message: expect.stringContaining(generations.join(", ")),
    });
    await expect(restore(store, { disk: into, generation: 5 as never })).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
    });
    expect(await into.list("")).toEqual([]);
  });

  it("gives the state of a random history at any LSN", async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant("write" as const), n: fc.integer({ min: 1, max: 4 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("flush" as const, "compact" as const) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("sync" as const) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constantFrom("restart" as const, "kill" as const, "crash" as const),
          seed: fc.nat(1000),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.nat(), async (steps, seed) => {
        const disk = new SimDisk({ seed });
        const store = directoryBlobStore(new SimDisk());
        const options = { ...QUIET, baseBytes: 400, keepMs: 86_400_000 };
        let engine = await Engine.open({}, disk.session());
        let replica = await replicate(engine, store, options);
        let models: Rows[] = [{}];
        let next = 0;
        for (const each of steps) {
          switch (each.kind) {
            case "write": {
              const operations = Array.from({ length: each.n }, () => ({
                type: "put" as const,
                key: `key ${next % 9}`,
                value: `value ${next++}`,
              }));
              const durability = next % 3 === 0 ? "relaxed" : "strict";
              await engine.batch(operations, { durability });
              models[engine.stats().lastLsn] = await rowsOf(engine);
              break;
            }
            case "flush":
              await engine.flush();
              break;
            case "compact":
              await engine.compact();
              break;
            case "sync":
              await replica.sync();
              break;
            default: {
              if (each.kind === "restart") {
                await replica.close();
                await engine.close();
              } else if (each.kind === "kill") disk.killProcess();
              else disk.crash({ survive: "random", seed: each.seed });
              engine = await Engine.open({}, disk.session());
              models = models.slice(0, engine.stats().lastLsn + 1);
              replica = await replicate(engine, store, options);
            }
          }
        }
        const { lsn: shipped } = await replica.sync();
        expect(shipped).toBeLessThanOrEqual(engine.stats().lastLsn);
        const newest = (await listRestorable(store)).at(-1);
        expect(newest?.last.lsn).toBe(shipped);
        for (let lsn = newest?.first.lsn ?? 0; lsn <= shipped; lsn++) {
          if (models[lsn] === undefined) continue;
          expect((await restoredRows(store, lsn)).rows).toEqual(models[lsn]);
        }
        await replica.close();
        await engine.close();
      }),
      { numRuns: 25 },
    );
  });
});

describe("a replica beside a program that writes", () => {
  it("is shipped by a read-only engine, which notices if a flush dropped records", async () => {
    const [disk, store] = [new SimDisk(), directoryBlobStore(new SimDisk())];
    const writer = await Engine.open({}, disk);
    await writer.put("a", "1");
    const reader = await Engine.open({ readOnly: true }, disk);
    const replica = await replicate(reader, store, QUIET);
    const whys: string[] = [];
    replica.on("generation", (_, why) => whys.push(why));
    for (let i = 0; i < 5; i++) {
      await writer.put(`b ${i}`, "x");
      expect(await replica.sync()).toMatchObject({ lsn: i + 2 });
    }
    await writer.flush(); // all records were shipped
    await writer.put("c", "1");
    await replica.sync();
    expect(whys).toEqual([]);
    await writer.put("d", "1");
    await writer.flush();
    await writer.put("e", "1");
    await replica.sync();
    expect(whys).toEqual([expect.stringContaining("LSN 7")]);
    await replica.close();
    expect(await restoredRows(store)).toEqual({ rows: await rowsOf(writer), lsn: 9 });
    expect((await restoredRows(store, 7)).rows).not.toHaveProperty("d");
    await reader.close();
    await writer.close();
  });
});

describe("a replica in a bucket", () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3Server();
  });
  afterAll(() => server.close());

  it("is shipped and restored, although answers are lost", async () => {
    const store = s3BlobStore({ ...server.options, prefix: "replica" });
    const engine = await Engine.open({}, new SimDisk());
    let calls = 0;
    server.fault = () => (["lost", undefined, "refused", undefined] as const)[calls++ % 4];
    const replica = await replicate(engine, store, { ...QUIET, baseBytes: 1000 });
    for (let i = 0; i < 20; i++) {
      await engine.put(`key ${i % 20}`, "x".repeat(100));
      if (i % 10 === 9) await replica.sync();
    }
    await replica.close();
    expect(await restoredRows(store)).toEqual({ rows: await rowsOf(engine), lsn: 20 });
    server.fault = undefined;
    await engine.close();
    await store.close?.();
  });
});

describe("a process that replicates", () => {
  it("is killed, and everything that it reported as shipped is restored", async () => {
    const work = await mkdtemp(join(tmpdir(), "kaya-replica-"));
    try {
      let shipped = 0;
      for (let round = 0; round < 3; round++) {
        const child = spawn(process.execPath, [join(import.meta.dirname, "replicate-and-die.mjs"), work], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        let text = "";
        child.stdout.on("data", (bytes: Buffer) => {
          text += bytes.toString();
        });
        const lines = () => text.split("\n").slice(0, -1);
        while (lines().length < 5) await once(child.stdout, "data");
        child.kill("SIGKILL");
        await once(child, "exit");
        shipped = Math.max(shipped, ...lines().map(Number));
        const store = directoryBlobStore(join(work, "store"));
        const dataDir = join(work, `restored ${round}`);
        const result = await restore(store, { dataDir });
        expect(result.lsn).toBeGreaterThanOrEqual(shipped);
        const copy = await Engine.open({ dataDir });
        // Each write contains the number of its record, so a missing record would be noticed.
        expect(await copy.count()).toBe(result.lsn);
        for (let lsn = 1; lsn <= result.lsn; lsn++)
          expect(Buffer.from((await copy.get(`key ${lsn}`)) ?? []).toString()).toBe(`${lsn}`);
        await copy.close();
        expect(await listRestorable(store)).toHaveLength(1);
        await store.close?.();
      }
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
});
