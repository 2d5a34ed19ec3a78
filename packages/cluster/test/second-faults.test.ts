import type { KayaError } from "@kaya/core";
import { Engine } from "@kaya/engine";
import { leaveCluster } from "@kaya/engine/replica";
import { type FaultRule, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { ClusterEngine, directoryBlobStore } from "../src/index.js";
import { LogAppender } from "../src/log-appender.js";
import { SimClock, SimLog } from "../src/testing/index.js";
import { Cluster, rowsOf } from "./cluster.js";
import { fill, loseNaming, SIZES, setUp } from "./support/bases.js";

/** From now on each operation that changes the disk meets this fault. */
function failFromNow(disk: SimDisk, kind: "disk-full", operations = 20_000): void {
  for (let i = 0; i < operations; i++) disk.addFault({ at: disk.nextOperation + i, kind } as FaultRule);
}

const codeOf = (call: Promise<unknown>): Promise<string | undefined> =>
  call.then(
    () => undefined,
    ({ code }: KayaError) => code,
  );

describe("a directory that left its cluster", () => {
  it("can begin another log immediately, however many epochs it has seen", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const b = await cluster.open("b");
    await a.put("k", "1");
    await b.promote();
    await b.put("k", "2");
    await a.promote();
    await a.put("k", "3");
    await cluster.close();
    const disk = cluster.disks.get("a") as SimDisk;
    await leaveCluster(disk);
    const other = new Cluster();
    other.disks.set("a", disk);
    const again = await other.open("a", { adopt: true, blobStore: directoryBlobStore(new SimDisk()) });
    expect(await rowsOf(again)).toEqual({ k: "3" });
    await again.put("k", "4");
    await other.close();
  });
});

describe("a store whose adoption was interrupted by a crash", () => {
  it.each([500, 10_000])(
    "is adopted although the claim was tried for %i ms, an epoch for each try",
    async (commitTimeoutMs) => {
      const cluster = new Cluster();
      const disk = new SimDisk();
      cluster.disks.set("a", disk);
      const engine = await Engine.open({}, disk);
      await engine.put("old", "1");
      await engine.close();
      const store = directoryBlobStore(new SimDisk());
      // Each claim is done without an answer; then the process dies.
      cluster.log.faults = ({ kind }) => (kind === "claim" ? { kind: "replyLost", afterMs: 0 } : undefined);
      await expect(
        cluster.open("a", { adopt: true, blobStore: store, commitTimeoutMs }),
      ).rejects.toMatchObject({ code: "KAYA_NO_MAJORITY" });
      cluster.log.faults = undefined;
      expect(cluster.log.head?.epoch).toBeGreaterThan(commitTimeoutMs / 100);
      const again = await cluster.open("a", { adopt: true, blobStore: store });
      expect(await rowsOf(again)).toEqual({ old: "1" });
      await cluster.close();
    },
  );
});

describe("the writer's bases", () => {
  it("continue after naming a base got no answer and the read of the base failed too", async () => {
    const { cluster, store } = setUp();
    const a = await cluster.open("a", { ...SIZES, blobStore: store, commitTimeoutMs: 1_000 });
    const counts = loseNaming(cluster.log, 1, { afterMs: 0 });
    await fill(a, 0, 400);
    expect(counts.lost).toBe(2);
    expect(a.stats().cluster.bases).toBeGreaterThan(2);
    await cluster.close();
  });

  it.each([2, 3, 4])("continue after the same at base %i, while clients fill the tail", async (nth) => {
    const { cluster, store } = setUp();
    const a = await cluster.open("a", { ...SIZES, blobStore: store, commitTimeoutMs: 1_000 });
    const counts = loseNaming(cluster.log, nth);
    let isOver = false;
    const clients = [0, 1, 2, 3].map(async (client) => {
      for (let i = 0; !isOver; i++) {
        const refused = await codeOf(a.put(`key ${client} ${i % 50}`, `${i} ${"x".repeat(1_000)}`));
        if (refused !== undefined) expect(refused).toBe("KAYA_DISK_FULL");
      }
    });
    await cluster.until(() => counts.lost === 2);
    const { bases } = a.stats().cluster;
    await cluster.until(() => a.stats().cluster.bases > bases + 3);
    isOver = true;
    await Promise.all(clients);
    await cluster.close();
  });
});

describe("a node whose disk is full", () => {
  it("leaves the log to another node if it cannot become the writer", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const b = await cluster.open("b");
    const c = await cluster.open("c");
    await c.promote();
    await c.put("k", "1");
    await Promise.all([a.catchUp(), b.catchUp()]);
    failFromNow(cluster.disks.get("a") as SimDisk, "disk-full");
    cluster.kill("c");
    await cluster.until(() => b.role === "writer");
    await b.put("k", "2");
    cluster.log.resume("c");
    await cluster.close();
  });

  it("leaves the log to another node if it cannot replay", async () => {
    const cluster = new Cluster();
    const c = await cluster.open("c");
    const a = await cluster.open("a", { commitTimeoutMs: 1_000 });
    await a.catchUp();
    failFromNow(cluster.disks.get("a") as SimDisk, "disk-full");
    await c.put("k", "1");
    cluster.kill("c");
    await cluster.until(() => a.role === "claiming");
    const b = await cluster.open("b", { commitTimeoutMs: 1_000 });
    await cluster.until(() => b.role === "writer");
    await b.put("k", "2");
    cluster.log.resume("c");
    await cluster.close();
  });

  it("opens, and its data can be read", async () => {
    const cluster = new Cluster();
    const c = await cluster.open("c");
    await c.put("k", "1");
    const a = await cluster.open("a");
    await a.catchUp();
    await a.close();
    await c.put("k", "2");
    failFromNow(cluster.disks.get("a") as SimDisk, "disk-full");
    const opening = cluster.open("a", { commitTimeoutMs: 1_000 }).then(
      (node) => node,
      (error: KayaError) => error.code,
    );
    let outcome: ClusterEngine | string | undefined;
    void opening.then((found) => {
      outcome = found;
    });
    await cluster.until(() => outcome !== undefined);
    if (typeof outcome === "string") expect(outcome).toBe("KAYA_DISK_FULL");
    else expect(await rowsOf(outcome as ClusterEngine)).toEqual({ k: "1" });
    await cluster.close();
  });
});

describe("writes while a node becomes the writer", () => {
  it("begin in the order of their calls, also the calls after it has become the writer", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const b = await cluster.open("b");
    const writes: Promise<unknown>[] = [];
    b.on("role", (role) => {
      if (role === "claiming") writes.push(b.put("k", "1"), b.delete("k"), b.put("k", "2"));
      if (role === "writer") writes.push(b.put("k", "3"), b.batch([{ type: "put", key: "k", value: "4" }]));
    });
    await a.put("k", "0");
    await b.promote();
    expect(writes.length).toBe(5);
    await Promise.all(writes);
    expect(await rowsOf(b)).toEqual({ k: "4" });
    await cluster.close();
  });
});

describe("a node that is opened while its earlier process ends", () => {
  it("does not mistake the last writes of that process for a log that lost records", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    await a.put("k", "1");
    const disk = cluster.disks.get("a") as SimDisk;
    const log = cluster.log.client("a");
    const head = log.head.bind(log);
    let isFirst = true;
    log.head = async (options) => {
      const found = await head(options);
      if (isFirst) {
        isFirst = false;
        await a.put("k", "2");
        await a.close();
      }
      return found;
    };
    const again = await ClusterEngine.open({ log, nodeId: "a" }, disk, { timers: cluster.clock });
    expect(await rowsOf(again)).toEqual({ k: "2" });
    await again.close();
  });
});

describe("a log that cannot be reached", () => {
  it("leaves no write in doubt if connections are refused after a short time", async () => {
    const clock = new SimClock({ isAutomatic: true });
    const sim = new SimLog({ clock, latencyMs: 1 });
    const log = sim.client("a");
    const origin = { logId: "0123456789abcdef", lsn: 0, sequence: 0 };
    const head = await log.claim(undefined, { writer: "a", origin });
    const refused = await log.append(head, {
      firstLsn: 1,
      lastLsn: 1,
      lastSequence: 1,
      bytes: new Uint8Array(9),
    });
    const append = log.append.bind(log);
    log.append = async (expected, entry, options) => {
      await clock.sleep(3, options?.signal);
      options?.signal?.throwIfAborted();
      return append(expected, entry, options);
    };
    sim.partition("a", "refuse");
    const appender = new LogAppender({
      log,
      clock,
      commitTimeoutMs: 1_000,
      head: refused,
      events: { appended: () => undefined, doubted: () => undefined, ended: () => undefined },
    });
    const batch = { firstLsn: 2, lastLsn: 2, lastSequence: 2, bytes: new Uint8Array(9) };
    await expect(appender.append(batch)).rejects.toMatchObject({ code: "KAYA_NO_MAJORITY" });
    expect(appender.end).toBeUndefined();
  });
});

describe("statistics", () => {
  it("of a node that is no longer the writer show no bytes of the tail", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const b = await cluster.open("b");
    await a.put("k", "1");
    expect(a.stats().cluster.tail.bytes).toBeGreaterThan(0);
    await b.promote();
    await cluster.until(() => a.role === "follower");
    expect(a.stats().cluster.tail.bytes).toBe(0);
    await cluster.close();
  });
});

describe("two processes with the id of one node", () => {
  it("report it, and lose no acknowledged write", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const twin = await cluster.open("twin", { nodeId: "a" });
    const told = new Set<string>();
    for (const node of [a, twin]) node.on("trouble", ({ message }) => told.add(message));
    const acknowledged: string[] = [];
    for (let i = 0; i < 100; i++) {
      for (const [name, node] of Object.entries({ a, twin }))
        await node.put(`${name} ${i}`, "v").then(
          () => acknowledged.push(`${name} ${i}`),
          () => undefined, // refused
        );
      await cluster.clock.sleep(100);
    }
    expect([...told].some((message) => message.includes("another process has the same id"))).toBe(true);
    await Promise.all([a.catchUp(), twin.catchUp()]);
    for (const node of [a, twin])
      expect(Object.keys(await rowsOf(node))).toEqual(expect.arrayContaining(acknowledged));
    await cluster.close();
  });
});
