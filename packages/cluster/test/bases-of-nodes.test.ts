import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KayaError } from "@kaya/core";
import { Engine } from "@kaya/engine";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { ClusterEngine, directoryBlobStore } from "../src/index.js";
import { Cluster, rowsOf } from "./cluster.js";
import { FaultyBlobStore } from "./faulty-blob-store.js";
import { ENTRY, fill, SIZES, setUp } from "./support/bases.js";
import { bytesOf, replaceBytes } from "./support/copies.js";

describe("the tail of the shared log", () => {
  it("stays below its bound: the writer makes bases, trims the log up to them, and removes old bases", async () => {
    const { cluster, store } = setUp();
    const a = await cluster.open("a", { ...SIZES, blobStore: store });
    let most = 0;
    for (let i = 0; i < 400; i += 10) {
      await fill(a, i, i + 10);
      most = Math.max(
        most,
        cluster.log.entries.reduce((sum, { bytes }) => sum + bytes.length, 0),
      );
    }
    await cluster.until(() => a.stats().cluster.tail.bytes < SIZES.tailMaxBytes / 2);
    expect(most).toBeLessThanOrEqual(SIZES.tailMaxBytes);
    const { bases, trims, base } = a.stats().cluster;
    expect(bases).toBeGreaterThan(3);
    expect(trims).toBeGreaterThan(2);
    expect(base?.lsn).toBe(cluster.log.base?.lsn);
    const names: string[] = [];
    for await (const { name } of store.list("base/")) names.push(name);
    expect(names.length).toBeLessThanOrEqual(3);
    await cluster.close();
  });

  it("is trimmed: a new node, and one that was closed for a long time, begin with a base", async () => {
    const { cluster, store } = setUp();
    const a = await cluster.open("a", { ...SIZES, blobStore: store });
    const c = await cluster.open("c", { ...SIZES, blobStore: store, role: "follower" });
    await fill(a, 0, 10);
    await c.catchUp();
    await c.close();
    await fill(a, 10, 300);
    const late = await cluster.open("b", { ...SIZES, blobStore: store });
    expect(await rowsOf(late)).toEqual(await rowsOf(a));
    const again = await cluster.open("c", { ...SIZES, blobStore: store });
    expect(await rowsOf(again)).toEqual(await rowsOf(a));
    expect([late, again].map((node) => node.stats().cluster.baseLoads)).toEqual([1, 1]);
    expect(await late.changesToken()).toBe(await a.changesToken());
    await cluster.close();
  });

  it("leaves no files of a load in the node's directory, also if the load was interrupted", async () => {
    const { cluster, store } = setUp();
    const options = { ...SIZES, blobStore: store };
    const a = await cluster.open("a", options);
    await fill(a, 0, 300);
    const broken = new SimDisk();
    cluster.disks.set("b", broken);
    await cluster.open("b", options).then((node) => node.close());
    expect(await broken.list("loading/sst")).toEqual([]);
    const left = await broken.open("loading/sst/left", { create: true });
    await left.close();
    const b = await cluster.open("b", options);
    expect(await broken.list("loading/sst")).toEqual([]);
    expect(await rowsOf(b)).toEqual(await rowsOf(a));
    const dataDir = await mkdtemp(join(tmpdir(), "kaya-loading-"));
    try {
      const log = cluster.log.client("c");
      const timers = cluster.clock;
      const c = await ClusterEngine.open({ ...options, log, dataDir, nodeId: "c" }, undefined, { timers });
      expect(c.stats().cluster.baseLoads).toBe(1);
      expect(await rowsOf(c)).toEqual(await rowsOf(a));
      await c.close();
      expect(await readdir(dataDir)).not.toContain("loading");
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
    await cluster.close();
  });

  it("is trimmed under a slow follower, which loads a base while it is open; its views stay valid", async () => {
    const { cluster, store } = setUp();
    const a = await cluster.open("a", { ...SIZES, blobStore: store });
    const b = await cluster.open("b", { ...SIZES, blobStore: store });
    const view = b.view({ prefix: "key ", key: "utf8", value: "utf8" });
    await fill(a, 0, 10);
    await b.catchUp();
    const snapshot = b.snapshot();
    cluster.log.partition("b");
    await fill(a, 10, 300);
    expect(await view.get("9")).toMatch(/^9 /); // the old data
    cluster.log.heal("b");
    await cluster.until(() => b.stats().cluster.baseLoads === 1);
    await b.catchUp();
    expect(await rowsOf(b)).toEqual(await rowsOf(a));
    expect(await view.get("9")).toMatch(/^259 /);
    await expect(snapshot.get("key 9")).rejects.toMatchObject({ code: "KAYA_CLOSED" });
    // It can also become the writer.
    await b.promote();
    await view.put("9", "new");
    expect(await a.get("key 9", { consistency: "linearizable" })).toEqual(new Uint8Array(Buffer.from("new")));
    await cluster.close();
  });

  it("does not end a follower whose base is damaged: it reads what it has, and goes on with the next base", async () => {
    const cluster = new Cluster({ maxEntryBytes: ENTRY });
    const disk = new SimDisk();
    const options = { ...SIZES, blobStore: directoryBlobStore(disk), commitTimeoutMs: 1_000 };
    const a = await cluster.open("a", options);
    const b = await cluster.open("b", options);
    await fill(a, 0, 10);
    await b.catchUp();
    await b.close();
    await fill(a, 10, 200);
    await cluster.clock.sleep(5_000); // nothing more is due
    const name = cluster.log.base?.name ?? "";
    await replaceBytes(disk, name, (await bytesOf(disk, name)).subarray(0, -5));
    const again = await cluster.open("b", options);
    await expect(cluster.open("c", options)).rejects.toMatchObject({
      code: "KAYA_LOG_TRUNCATED",
      message: expect.stringContaining(name),
    });
    expect(await again.count()).toBe(10);
    expect(again.role).not.toBe("failed");
    await fill(a, 200, 300);
    await again.catchUp();
    expect(await rowsOf(again)).toEqual(await rowsOf(a));
    await cluster.close();
  });

  it("is trimmed up to the existing base after failed trims", async () => {
    const { cluster, store } = setUp();
    const a = await cluster.open("a", { ...SIZES, blobStore: store, commitTimeoutMs: 500 });
    cluster.log.faults = ({ kind }) => (kind === "trim" ? { kind: "requestLost", afterMs: 0 } : undefined);
    const refused = fill(a, 0, 400).catch((error) => error.code);
    expect(await refused).toBe("KAYA_DISK_FULL");
    expect(cluster.log.base).toBeDefined();
    cluster.log.faults = undefined;
    await cluster.until(() => a.stats().cluster.tail.bytes < SIZES.tailMaxBytes / 2);
    await fill(a, 400, 500);
    await cluster.close();
  });

  it("slows and refuses writes while no base can be made, and accepts them again afterwards", async () => {
    const { cluster, store } = setUp();
    let isBroken = true;
    const broken = new FaultyBlobStore(store);
    broken.fault = (_, method) => (isBroken && method === "put" ? "before" : undefined);
    broken.error = () => new Error("the store is broken");
    const a = await cluster.open("a", { ...SIZES, blobStore: broken, commitTimeoutMs: 1_000 });
    await expect(fill(a, 0, 100)).rejects.toMatchObject({
      code: "KAYA_DISK_FULL",
      message: expect.stringContaining("tailMaxBytes"),
    });
    expect(cluster.log.head?.bytes).toBeLessThanOrEqual(SIZES.tailMaxBytes);
    expect(a.role).toBe("writer");
    isBroken = false;
    await cluster.until(() => a.stats().cluster.trims > 0);
    await fill(a, 0, 20);
    await cluster.close();
  });

  it("takes writes again after the blob store was out of order, although clients write again at once all the time", async () => {
    const { cluster, store } = setUp();
    const faulty = new FaultyBlobStore(store);
    const a = await cluster.open("a", { ...SIZES, blobStore: faulty, commitTimeoutMs: 1_000 });
    let [taken, refused, isOver, most] = [0, 0, false, 0];
    const client = async (name: string) => {
      while (!isOver) {
        const written = await a.put(name, "x".repeat(1_000)).catch((error: unknown) => error as KayaError);
        if (written instanceof KayaError) expect(written.code).toBe("KAYA_DISK_FULL");
        if (written instanceof KayaError) refused++;
        else taken++;
        most = Math.max(
          most,
          cluster.log.entries.reduce((sum, { bytes }) => sum + bytes.length, 0),
        );
      }
    };
    const clients = ["c", "d", "e"].map(client);
    await cluster.until(() => a.stats().cluster.bases > 0);
    faulty.fault = (_, method) => (method === "put" ? "before" : undefined);
    await cluster.until(() => refused >= 10);
    faulty.fault = () => undefined;
    const [before, bases] = [taken, a.stats().cluster.bases];
    await cluster.until(() => taken > before + 200);
    expect(a.stats().cluster.bases).toBeGreaterThan(bases);
    isOver = true;
    await Promise.all(clients);
    expect(most).toBeLessThanOrEqual(SIZES.tailMaxBytes);
    await cluster.close();
  });

  it("takes all writes of the largest values with the smallest bound, although a base takes a while", async () => {
    const { cluster, store } = setUp();
    const slow = new (class extends FaultyBlobStore {
      override async *list(...given: Parameters<FaultyBlobStore["list"]>) {
        await cluster.clock.sleep(200);
        yield* super.list(...given);
      }
    })(store);
    const a = await cluster.open("a", { tailMaxBytes: 4 * ENTRY, blobStore: slow });
    for (let i = 0; i < 100; i++) await a.put(`key ${i % 3}`, `${i} ${"x".repeat(ENTRY - 300)}`);
    const b = await cluster.open("b", { tailMaxBytes: 4 * ENTRY, blobStore: store });
    expect(await rowsOf(b)).toEqual(await rowsOf(a));
    await cluster.close();
  });

  it.each(["removed", "damaged"])(
    "gets a whole base again, and says so, if the last one was %s",
    async (how) => {
      const cluster = new Cluster({ maxEntryBytes: ENTRY });
      const disk = new SimDisk();
      const options = { ...SIZES, blobStore: directoryBlobStore(disk), commitTimeoutMs: 1_000 };
      const a = await cluster.open("a", options);
      const told: string[] = [];
      a.on("trouble", ({ message }) => told.push(message));
      await fill(a, 0, 60);
      await cluster.until(() => a.stats().cluster.bases > 0);
      await cluster.clock.sleep(5_000); // nothing more is due
      const lost = cluster.log.base?.name ?? "";
      for (const { path } of await disk.list(
        lost
          .replace(/[^/]*$/, "")
          .replace("base", "table")
          .slice(0, -1),
      ))
        await disk.remove(path); // its tables too
      await replaceBytes(disk, lost, how === "removed" ? undefined : Buffer.from("something else"));
      await fill(a, 60, 300);
      expect(told.filter((message) => message.includes(lost))).not.toEqual([]);
      const b = await cluster.open("b", options);
      expect(await rowsOf(b)).toEqual(await rowsOf(a));
      await cluster.close();
    },
  );

  it.each(["long ".repeat(200), "長い名前".repeat(20), "a/../b"])(
    "gets bases from a node with any id (%#)",
    async (nodeId) => {
      const { cluster, store } = setUp();
      const a = await cluster.open("a", { ...SIZES, blobStore: store, nodeId, commitTimeoutMs: 1_000 });
      await fill(a, 0, 200);
      expect(a.stats().cluster.bases).toBeGreaterThan(1);
      const b = await cluster.open("b", { ...SIZES, blobStore: store });
      expect(await rowsOf(b)).toEqual(await rowsOf(a));
      await cluster.close();
    },
  );

  it("gets a base immediately when the shared log is full; the base is named before the next write that fits", async () => {
    const { cluster, store } = setUp();
    const a = await cluster.open("a", { ...SIZES, blobStore: store });
    const names = async () => {
      const found: string[] = [];
      for await (const { name } of store.list("base/")) found.push(name);
      return found;
    };
    await fill(a, 0, 5); // no base is due yet
    cluster.log.isFull = true;
    await expect(a.put("k", "1")).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    await cluster.until(async () => (await names()).length > 0);
    await cluster.clock.sleep(5_000);
    await expect(a.put("k", "1")).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    expect(await names()).toHaveLength(1); // not made again at each attempt
    expect(cluster.log.base).toBeUndefined();
    cluster.log.isFull = false;
    await a.put("k", "2");
    expect(cluster.log.base?.lsn).toBe(5);
    expect(cluster.log.entries.map(({ firstLsn }) => firstLsn)).toEqual([6]);
    const b = await cluster.open("b", { ...SIZES, blobStore: store });
    expect(await rowsOf(b)).toEqual(await rowsOf(a));
    await cluster.close();
  });

  it("is trimmed up to its base immediately when the shared log is full: a trim needs no room", async () => {
    const { cluster, store } = setUp();
    const a = await cluster.open("a", { ...SIZES, blobStore: store });
    await fill(a, 0, 25);
    await cluster.until(() => a.stats().cluster.bases === 1);
    const through = cluster.log.base?.lsn ?? 0;
    expect(cluster.log.entries[0]?.firstLsn).toBeLessThanOrEqual(through); // some records stay for slow followers
    cluster.log.isFull = true;
    await expect(a.put("k", "1")).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    await cluster.until(() => (cluster.log.entries[0]?.firstLsn ?? through + 1) > through);
    expect(cluster.log.base?.lsn).toBe(through);
    await cluster.close();
  });

  it("without a blob store: a warning at half of the bound, and writes are refused at the bound with a remedy", async () => {
    const { cluster } = setUp();
    const a = await cluster.open("a", SIZES);
    const told: string[] = [];
    a.on("trouble", ({ code, message }) => told.push(`${code} ${message}`));
    await expect(fill(a, 0, 100)).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    expect(told).toEqual([expect.stringMatching(/^KAYA_DISK_FULL .*half.*blobStore/)]);
    await cluster.close();
  });

  it("a write that is larger than an entry is refused, with the name of the option", async () => {
    const { cluster } = setUp();
    const a = await cluster.open("a", SIZES);
    await expect(a.put("k", "x".repeat(ENTRY))).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
      message: expect.stringMatching(
        / 4096, the most that the shared log takes: split it. No setting raises/,
      ),
    });
    const b = await cluster.open("b", { wal: { maxRecordBytes: 1_000 } });
    await b.promote();
    await expect(b.put("k", "x".repeat(1_000))).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
      message: expect.stringMatching(/maxRecordBytes \(1000\): split it, or raise the limit/),
    });
    await cluster.close();
  });
});

describe("an ordinary store", () => {
  const filled = async (cluster: Cluster) => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    await engine.put("old", "1");
    await engine.put("large", "x".repeat(3 * ENTRY));
    await engine.close();
    cluster.disks.set("a", disk);
  };

  it("becomes the first node of a log, with its data", async () => {
    const { cluster, store } = setUp();
    await filled(cluster);
    const a = await cluster.open("a", { blobStore: store, adopt: true });
    expect(a).toMatchObject({ role: "writer", epoch: 1, lsn: 2 });
    const b = await cluster.open("b", { blobStore: store, adopt: true });
    await a.put("new", "2");
    await b.catchUp();
    expect(Object.keys(await rowsOf(b))).toEqual(["large", "new", "old"]);
    await cluster.close();
  });

  it("is refused without `adopt` or a blob store, and stays unchanged", async () => {
    const { cluster, store } = setUp();
    await filled(cluster);
    for (const options of [
      {},
      { adopt: true },
      { blobStore: store },
      { blobStore: store, adopt: true, role: "follower" },
    ] as const)
      await expect(cluster.open("a", options)).rejects.toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
    const engine = await Engine.open({}, cluster.disks.get("a"));
    expect(await engine.count()).toBe(2);
    await engine.close();
  });

  it("is refused before the log begins, if a consumer keeps a record that is larger than an entry", async () => {
    const { cluster, store } = setUp();
    const disk = new SimDisk();
    cluster.disks.set("a", disk);
    const engine = await Engine.open({}, disk);
    await engine.addConsumer("reader");
    await engine.put("small", "1");
    await engine.put("large", "x".repeat(3 * ENTRY));
    await engine.close();
    await expect(cluster.open("a", { adopt: true, blobStore: store })).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
      message: expect.stringContaining("removeConsumer"),
    });
    expect(cluster.log.head).toBeUndefined();
    const again = await Engine.open({}, disk);
    await again.removeConsumer("reader");
    await again.flush();
    await again.close();
    const a = await cluster.open("a", { adopt: true, blobStore: store });
    expect(Object.keys(await rowsOf(a))).toEqual(["large", "small"]);
    await cluster.close();
  });

  it("is refused if another store begins the log at the same time, and stays as it is", async () => {
    const { cluster, store } = setUp();
    await filled(cluster);
    const disk = cluster.disks.get("a")?.fork() ?? new SimDisk();
    cluster.disks.set("b", disk);
    const outcomes = await Promise.allSettled(
      ["a", "b"].map((name) => cluster.open(name, { adopt: true, blobStore: store, commitTimeoutMs: 1_000 })),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const refused = outcomes.findIndex(({ status }) => status === "rejected");
    expect((outcomes[refused] as PromiseRejectedResult).reason).toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
      message: expect.stringContaining("began this log while the store was copied"),
    });
    const engine = await Engine.open({}, cluster.disks.get(refused === 0 ? "a" : "b"));
    expect(await engine.count()).toBe(2);
    await engine.close();
    await cluster.close();
  });

  it("is refused by a log that has begun, and by a log that lost its head", async () => {
    const { cluster, store } = setUp();
    await filled(cluster);
    const c = await cluster.open("c");
    await expect(cluster.open("a", { blobStore: store })).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
    });
    await c.put("k", "1");
    await c.close();
    const other = new Cluster();
    other.disks.set("c", cluster.disks.get("c") as SimDisk);
    await expect(other.open("c")).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    const d = await other.open("d");
    await expect(other.open("c")).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    await d.close();
    await cluster.close();
  });
});
