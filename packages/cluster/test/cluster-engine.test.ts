import { KayaError } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { ClusterEngine } from "../src/index.js";
import { Cluster, rowsOf } from "./cluster.js";

const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString();

describe("a writer and a follower", () => {
  it("have the same data, and only the writer accepts writes", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    expect(a).toMatchObject({ role: "writer", epoch: 1, leader: "http://a" });
    expect(await a.put("k", "1")).toMatchObject({ lsn: 1, sequence: 1, durable: true });
    const b = await cluster.open("b");
    expect(b).toMatchObject({ role: "follower", epoch: 1, leader: "http://a" });
    expect(text(await b.get("k"))).toBe("1");
    await expect(b.put("k", "2")).rejects.toMatchObject({ code: "KAYA_NOT_LEADER", leader: "http://a" });
    await a.batch([
      { type: "put", key: "l", value: "2" },
      { type: "delete", key: "k" },
    ]);
    expect(text(await b.get("l", { consistency: "linearizable" }))).toBe("2");
    expect(await rowsOf(b)).toEqual({ l: "2" });
    expect(b.stats().cluster).toMatchObject({
      role: "follower",
      lsn: 2,
      headLsn: 2,
      lagRecords: 0,
      lagMs: 0,
    });
    await cluster.close();
  });
});

describe("another node takes over", () => {
  it("when the writer's presence has expired, and has all acknowledged writes", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const b = await cluster.open("b");
    const c = await cluster.open("c", { role: "follower" });
    await a.put("k", "1");
    const began = cluster.clock.now();
    cluster.log.pause("a");
    await cluster.until(() => b.role === "writer");
    expect(cluster.clock.now() - began).toBeLessThanOrEqual(3_000);
    expect(b).toMatchObject({ epoch: 2, leader: "http://b" });
    expect(text(await b.get("k"))).toBe("1");
    await b.put("k", "2");
    expect(text(await c.get("k", { consistency: "linearizable" }))).toBe("2");
    expect(c).toMatchObject({ role: "follower", leader: "http://b" });
    expect(b.stats().cluster).toMatchObject({ claims: 1, takeovers: 1 });
    // The old writer slept during the takeover. It acknowledges nothing, and then follows.
    const late = a.put("k", "3");
    cluster.log.resume("a");
    await expect(late).rejects.toMatchObject({ code: expect.stringMatching(/FENCED|NOT_LEADER/) });
    await cluster.until(() => a.role === "follower" && a.lsn === b.lsn);
    expect(await rowsOf(a)).toEqual({ k: "2" });
    await cluster.close();
  });
});

describe("the role", () => {
  it("writer goes to a promoted node, also if its role option is follower", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const b = await cluster.open("b", { role: "follower" });
    await a.put("k", "1");
    await b.promote();
    expect(b).toMatchObject({ role: "writer", epoch: 2 });
    await b.put("k", "2");
    await cluster.until(() => a.role === "follower" && a.lsn === 2);
    await expect(a.put("k", "3")).rejects.toMatchObject({ code: "KAYA_NOT_LEADER", leader: "http://b" });
    await cluster.close();
  });

  it("writer goes once to the node that was asked in the log", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const b = await cluster.open("b");
    await cluster.log.client("x").want("b");
    await cluster.until(() => b.role === "writer" && a.role === "follower");
    await cluster.until(() => cluster.log.members.wanted === undefined);
    await a.promote();
    await cluster.clock.sleep(10_000);
    expect([a.role, b.role]).toEqual(["writer", "follower"]);
    await cluster.close();
  });

  it("writer goes to another node when the writer steps down, and comes back if there is no other", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const b = await cluster.open("b");
    const written = a.put("k", "1");
    await a.stepDown();
    expect(a.role).toBe("follower");
    expect(await written).toMatchObject({ lsn: 1 });
    await cluster.until(() => b.role === "writer");
    await a.close();
    await b.stepDown();
    expect(b.role).toBe("follower");
    await cluster.until(() => b.role === "writer");
    expect(b.epoch).toBe(3);
    await cluster.close();
  });

  it("writer goes to another node immediately when the writer closes", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const b = await cluster.open("b");
    await a.close();
    expect(a.role).toBe("closed");
    const began = cluster.clock.now();
    await cluster.until(() => b.role === "writer");
    expect(cluster.clock.now() - began).toBeLessThan(1_000);
    await expect(a.put("k", "1")).rejects.toMatchObject({ code: "KAYA_CLOSED" });
    await cluster.close();
  });

  it("comes back to a node that stepped down, after `presenceMs`, if no other takes over", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a", { presenceMs: 2_000 });
    await a.stepDown();
    const began = cluster.clock.now();
    await cluster.until(() => a.role === "writer");
    expect(cluster.clock.now() - began).toBeGreaterThanOrEqual(2_000);
    await cluster.close();
  });

  it("writer comes back to a restarted node, although its old presence still exists", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    await a.put("k", "1");
    cluster.kill("a");
    cluster.log.resume("a");
    const again = await cluster.open("a");
    expect(again).toMatchObject({ role: "writer", epoch: 2 });
    expect(await rowsOf(again)).toEqual({ k: "1" });
    await again.put("l", "2");
    await again.close();
    await a.close().catch(() => undefined);
  });

  it("is reported by events in order, with the leader", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    const b = await cluster.open("b");
    const told: unknown[] = [];
    b.on("role", (role, before) => told.push(`${before} -> ${role}`));
    b.on("leader", (address, nodeId, epoch) => told.push([address, nodeId, epoch]));
    await a.close();
    await cluster.until(() => b.role === "writer");
    expect(told).toEqual(["follower -> claiming", ["http://b", "b", 2], "claiming -> writer"]);
    await cluster.close();
  });

  it("writer never acknowledges on two nodes: after many takeovers each of many writes is in the log once", async () => {
    const cluster = new Cluster({ latencyMs: 3 });
    const nodes = [await cluster.open("a"), await cluster.open("b"), await cluster.open("c")];
    const acknowledged: string[] = [];
    let isOver = false;
    const writing = nodes.map(async (node, index) => {
      for (let i = 0; !isOver; i++) {
        const key = `${index}-${i}`;
        await node.put(key, key).then(
          () => acknowledged.push(key),
          () => cluster.clock.sleep(20),
        );
      }
    });
    for (let i = 0; i < 6; i++) {
      const victim = nodes[i % 3];
      await victim?.promote();
      await cluster.clock.sleep(50);
      cluster.log.pause("abc"[i % 3] as string);
      await cluster.clock.sleep(i % 2 === 0 ? 4_000 : 100);
      cluster.log.resume("abc"[i % 3] as string);
      await cluster.clock.sleep(100);
    }
    isOver = true;
    await Promise.all(writing);
    await Promise.all(nodes.map((node) => node.catchUp()));
    const [rows, ...others] = await Promise.all(nodes.map((node) => rowsOf(node)));
    for (const other of others) expect(other).toEqual(rows);
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(acknowledged.filter((key) => rows?.[key] !== key)).toEqual([]);
    await cluster.close();
  });
});

it("a writer that cannot announce its presence can still write, and followers follow it", async () => {
  const cluster = new Cluster({ latencyMs: 3 });
  const a = await cluster.open("a");
  const b = await cluster.open("b");
  cluster.log.faults = ({ client, kind }) =>
    client === "a" && (kind === "renew" || kind === "announce") ? { kind: "noMajority" } : undefined;
  const end = cluster.clock.now() + 8_000;
  let written = 0;
  const writing = (async () => {
    while (cluster.clock.now() < end)
      await Promise.any([a, b].map((node) => node.put("n", `${written}`))).then(
        () => written++,
        () => cluster.clock.sleep(20),
      );
  })();
  let most = 0;
  while (cluster.clock.now() < end) {
    await cluster.clock.sleep(50);
    most = Math.max(most, b.stats().cluster.lagMs);
  }
  await writing;
  expect(written).toBeGreaterThan(100);
  expect(most).toBeLessThan(3_000);
  await cluster.close();
});

describe("a log that does not answer", () => {
  it("refuses writes with KAYA_NO_MAJORITY, and can still be read", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a", { commitTimeoutMs: 2_000 });
    await a.put("k", "1");
    cluster.log.partition("a", "refuse");
    await expect(a.put("k", "2")).rejects.toMatchObject({ code: "KAYA_NO_MAJORITY" });
    await expect(a.get("k", { consistency: "linearizable" })).rejects.toMatchObject({
      code: "KAYA_NO_MAJORITY",
    });
    expect(text(await a.get("k"))).toBe("1");
    cluster.log.heal("a");
    await a.put("k", "3");
    expect(a).toMatchObject({ role: "writer", epoch: 1 });
    expect(a.stats().cluster.rejections.noMajority).toBe(1);
    await cluster.close();
  });

  it("delays the opening of a node that has data for `commitTimeoutMs`, and not longer", async () => {
    const cluster = new Cluster();
    const options = { commitTimeoutMs: 2_000 };
    const a = await cluster.open("a", options);
    await a.put("k", "1");
    await a.close();
    cluster.log.loseMajority();
    const began = cluster.clock.now();
    const again = await cluster.open("a", options);
    expect(cluster.clock.now() - began).toBeLessThan(2_100);
    expect(again.role).not.toBe("writer");
    expect(text(await again.get("k"))).toBe("1");
    await expect(again.put("k", "2")).rejects.toMatchObject({ code: "KAYA_NO_MAJORITY" });
    cluster.log.restoreMajority("dropped");
    await cluster.until(() => again.role === "writer");
    await again.put("k", "2");
    await cluster.close();
  });

  it("leaves a write in doubt, and the node claims another epoch", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a", { commitTimeoutMs: 2_000 });
    await a.put("k", "1");
    const trouble: string[] = [];
    a.on("trouble", ({ code }) => trouble.push(code));
    cluster.log.partition("a", "replies");
    const [first, behind] = await Promise.allSettled([a.put("k", "2"), a.put("l", "2")]);
    expect(first).toMatchObject({ reason: { code: "KAYA_IN_DOUBT" } });
    expect(behind).toMatchObject({ status: "rejected" });
    await expect(a.put("m", "3")).rejects.toMatchObject({ code: "KAYA_NO_MAJORITY" });
    cluster.log.heal("a");
    await cluster.until(() => a.role === "writer");
    expect(a.epoch).toBe(2);
    // The write was done, and only its reply was lost.
    expect(text(await a.get("k"))).toBe("2");
    expect(trouble).toContain("KAYA_IN_DOUBT");
    await cluster.close();
  });

  it("has each write once if its replies are lost for a while", async () => {
    const cluster = new Cluster();
    let calls = 0;
    const a = await cluster.open("a");
    cluster.log.faults = ({ kind }) =>
      kind === "append" && calls++ % 2 === 0 ? { kind: "replyLost", afterMs: 0 } : undefined;
    for (let i = 0; i < 20; i++)
      await a.update("n", (value) => String(Number(Buffer.from(value ?? []).toString()) + 1));
    expect(text(await a.get("n"))).toBe("20");
    expect(cluster.log.history).toHaveLength(20);
    expect(a.stats().cluster).toMatchObject({ doubts: 10, role: "writer", epoch: 1 });
    await cluster.close();
  });

  it("lets a node that has data open for reading after a timeout", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    await a.put("k", "1");
    await a.close();
    cluster.log.loseMajority();
    const again = await cluster.open("a", { commitTimeoutMs: 1_000 });
    expect(again.role).toBe("follower");
    expect(text(await again.get("k"))).toBe("1");
    await expect(again.put("k", "2")).rejects.toMatchObject({ code: "KAYA_NO_MAJORITY" });
    await expect(cluster.open("b", { commitTimeoutMs: 1_000 })).rejects.toMatchObject({
      code: "KAYA_NO_MAJORITY",
    });
    cluster.log.restoreMajority();
    await cluster.until(() => again.role === "writer");
    await again.put("k", "2");
    await cluster.close();
  });

  it.each(["KAYA_INVALID_ARGUMENT", "KAYA_IO", "KAYA_DISK_FULL"] as const)(
    "that refuses the first claim with %s tells the node why",
    async (code) => {
      const cluster = new Cluster();
      const client = cluster.log.client("a");
      const log = new Proxy(client, {
        get: (_, name) => {
          if (name === "claim") return () => Promise.reject(new KayaError(code, "here is the reason"));
          const member: unknown = Reflect.get(client, name, client);
          return typeof member === "function" ? member.bind(client) : member;
        },
      });
      const opening = ClusterEngine.open({ log }, new SimDisk(), { timers: cluster.clock });
      await expect(opening).rejects.toMatchObject({ code, message: "here is the reason" });
      await cluster.close();
    },
  );

  it("refuses writes with KAYA_DISK_FULL if it is full", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a");
    cluster.log.isFull = true;
    await expect(a.put("k", "1")).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    cluster.log.isFull = false;
    expect(await a.put("k", "1")).toMatchObject({ lsn: 1 });
    await cluster.close();
  });
});
