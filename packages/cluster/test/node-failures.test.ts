import type { KayaError } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import { SimDisk } from "@kaya/io";
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from "vitest";
import { loadBeside, takeLoaded } from "../src/base-loading.js";
import { type ClusterEngine, directoryBlobStore, type LogBase } from "../src/index.js";
import { Cluster, rowsOf } from "./cluster.js";

const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString();

const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
beforeEach(() => {
  process.on("unhandledRejection", note);
  process.on("warning", note);
});
afterEach(async () => {
  await new Promise(setImmediate);
  process.off("unhandledRejection", note);
  process.off("warning", note);
  expect(unhandled.splice(0)).toEqual([]);
});

it("a node has the methods of an engine, except the synchronous writes and `refresh`", () => {
  type Left = "putSync" | "deleteSync" | "batchSync" | "refresh" | "find" | "scanOf"; // `find` and `scanOf` are internal
  type Shared = Exclude<keyof Engine & string, Left>;
  expectTypeOf<Exclude<Shared, keyof ClusterEngine>>().toEqualTypeOf<never>();
  expectTypeOf<Pick<ClusterEngine, Shared>>().toExtend<Pick<Engine, Shared>>();
});

describe("C5: a local failure after the append to the shared log", () => {
  it("ends the writer for good; another node takes over with the record; the failed node follows when it is opened again", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const b = await cluster.open("b");
    await a.put("k", "1");
    const disk = cluster.disks.get("a") as SimDisk;
    disk.addFault({ at: disk.nextOperation, kind: "fsync-failed" });
    disk.addFault({ at: disk.nextOperation, kind: "io-error" });
    const failed = await a.put("k", "2").then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failed === undefined) throw new Error("the fault did not happen");
    expect(a).toMatchObject({ role: "failed", state: "failed" });
    expect(text(await a.get("k"))).toBe("1");
    await expect(a.put("k", "3")).rejects.toMatchObject({ code: "KAYA_WRITER_FAILED" });
    await cluster.until(() => b.role === "writer");
    expect(text(await b.get("k"))).toBe("2");
    await a.close().catch(() => undefined);
    const again = await cluster.open("a");
    expect(await rowsOf(again)).toEqual(await rowsOf(b));
    await cluster.close();
  });
});

describe("close", () => {
  it("finishes the writes that are under way, and refuses new ones", async () => {
    const cluster = new Cluster({ latencyMs: 50 });
    const a = await cluster.open("a");
    const writes = Array.from({ length: 10 }, (_, i) => a.put(`k${i}`, "v"));
    const closing = a.close();
    await expect(a.put("late", "v")).rejects.toMatchObject({
      code: expect.stringMatching(/CLOSED|NOT_LEADER/),
    });
    await closing;
    expect((await Promise.allSettled(writes)).map(({ status }) => status)).toEqual(
      Array(10).fill("fulfilled"),
    );
    expect(cluster.log.members.nodes).toEqual([]);
    expect(a.stats()).toMatchObject({ state: "closed", cluster: { role: "closed" } });
    expect(a.close()).toBeInstanceOf(Promise);
  });

  it("ends in time although the log does not answer", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a", { commitTimeoutMs: 1_000 });
    cluster.log.loseMajority();
    const write = a.put("k", "v").catch(({ code }: { code: string }) => code);
    const began = cluster.clock.now();
    await a.close();
    expect(cluster.clock.now() - began).toBeLessThan(10_000);
    expect(await write).toBe("KAYA_IN_DOUBT");
  });

  it("waits for no call that a silent log keeps, whatever the node does", async () => {
    const presenceMs = 2_000;
    const commitTimeoutMs = 1_000;
    const cluster = new Cluster({ timeoutMs: 3_600_000 });
    const options = { presenceMs, commitTimeoutMs };
    const writer = await cluster.open("a", options);
    const writes = await cluster.open("b", options);
    const claims = await cluster.open("c", options);
    await writes.promote();
    await cluster.until(() => writer.role === "follower");
    cluster.log.loseMajority();
    const write = writes.put("k", "v").catch(({ code }: KayaError) => code);
    const promotion = claims.promote().catch(({ code }: KayaError) => code);
    // Renewals of all nodes are under way by now.
    await cluster.clock.sleep(presenceMs / 2);
    for (const node of [writer, writes, claims]) {
      const began = cluster.clock.now();
      await node.close();
      expect(cluster.clock.now() - began).toBeLessThan(presenceMs + commitTimeoutMs);
    }
    expect(await write).toBe("KAYA_IN_DOUBT");
    expect(await promotion).toMatch(/KAYA_NO_MAJORITY|KAYA_CLOSED/);
  });

  it("makes reads that wait for the log reject with KAYA_CLOSED", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    cluster.log.partition("a");
    const read = a.get("k", { consistency: "linearizable" });
    const promotion = a.catchUp();
    await Promise.all([
      expect(read).rejects.toMatchObject({ code: "KAYA_CLOSED" }),
      expect(promotion).rejects.toMatchObject({ code: "KAYA_CLOSED" }),
      a.close(),
    ]);
  });
});

describe("a node that is becoming the writer", () => {
  it("makes writes wait until it has a role, and keeps copies of their arguments", async () => {
    const cluster = new Cluster({ latencyMs: 20 });
    const a = await cluster.open("a");
    const b = await cluster.open("b");
    await a.put("k", "1");
    const written: Promise<unknown>[] = [];
    const value = Buffer.from("2");
    b.on("role", (role) => {
      if (role !== "claiming") return;
      written.push(
        b.put("k", value),
        b.update("n", () => "1"),
        b.batch([{ type: "put", key: "l", value }]),
      );
      value.fill("x");
      for (let i = 0; i < 30; i++) written.push(b.put("m", "3"), b.catchUp());
    });
    await a.close();
    await cluster.until(() => b.role === "writer");
    await Promise.all(written);
    expect(written).toHaveLength(63);
    expect(await rowsOf(b)).toEqual({ k: "2", l: "2", m: "3", n: "1" });
    await cluster.close();
  });
});

describe("a log that lost records", () => {
  it("makes an open node with more records fail, and is refused by such a node at its opening", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const b = await cluster.open("b");
    for (let i = 0; i < 5; i++) await a.put(`k${i}`, "v");
    await b.catchUp();
    await Promise.all([a.close(), b.close()]);
    // An older copy of the log: the same log with fewer records.
    const older = new Cluster();
    const id = cluster.log.head?.logId as string;
    await older.log.client("x").claim(undefined, { writer: "x", origin: { logId: id, lsn: 2, sequence: 2 } });
    older.disks.set("a", cluster.disks.get("a") as SimDisk);
    await expect(older.open("a")).rejects.toMatchObject({
      code: "KAYA_CORRUPTION",
      message: expect.stringMatching(/LSN 2.*LSN 5/),
    });
  });
});

describe("a log that lost records and was written to since", () => {
  it("is refused by a node that has them, although the log is longer now", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const c = await cluster.open("c");
    for (let i = 0; i < 2; i++) await a.put(`k${i}`, "v");
    await c.catchUp();
    await c.close();
    const b = await cluster.open("b");
    for (let i = 0; i < 3; i++) await a.put(`k${i}`, "lost");
    await b.catchUp();
    const logId = cluster.log.head?.logId as string;
    await Promise.all([a.close(), b.close()]);
    const older = new Cluster();
    await older.log.client("x").claim(undefined, { writer: "x", origin: { logId, lsn: 2, sequence: 2 } });
    older.disks.set("c", cluster.disks.get("c") as SimDisk);
    const other = await older.open("c");
    for (let i = 0; i < 7; i++) await other.put(`k${i}`, "other");
    older.disks.set("b", cluster.disks.get("b") as SimDisk);
    // LSNs and sequences are the same. Only the epochs differ.
    await expect(older.open("b")).rejects.toMatchObject({
      code: "KAYA_CORRUPTION",
      message: expect.stringMatching(/epoch 2 began after LSN 2.*LSN 5/),
    });
    await older.close();
  });
});

it("at whatever step the machine stops, loading a base leaves the old data, the new data, or a directory that the node empties", async () => {
  const cluster = new Cluster({ maxEntryBytes: 4_096 });
  const store = directoryBlobStore(new SimDisk());
  const options = { blobStore: store, tailMaxBytes: 4 * 4_096 };
  const a = await cluster.open("a", options);
  await a.put("k", "v");
  const b = await cluster.open("b", options);
  await b.close();
  for (let i = 0; i < 20; i++) await a.put(`k${i}`, "new");
  await cluster.until(() => cluster.log.base !== undefined);
  const base = cluster.log.base as LogBase;
  const rows = await rowsOf(a);
  const signal = new AbortController().signal;
  const disk = cluster.disks.get("b") as SimDisk;
  await loadBeside(disk, { store, base, config: {}, signal });
  const from = disk.nextOperation;
  const whole = disk.fork();
  await takeLoaded(whole, {});
  const steps = whole.nextOperation - from;
  expect(steps).toBeGreaterThan(10);
  for (let step = 0; step < steps; step++) {
    const stopped = disk.fork();
    stopped.addFault({ at: from + step, kind: "io-error" });
    await takeLoaded(stopped, {}).catch(() => undefined);
    stopped.crash({ seed: step });
    cluster.disks.set("b", stopped);
    const again = await cluster.open("b", options);
    expect(await rowsOf(again)).toEqual(rows);
    await again.close();
  }
  await cluster.close();
});
