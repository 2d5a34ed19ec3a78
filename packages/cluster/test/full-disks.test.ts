import { KayaError } from "@kaya/core";
import { type DiskFile, type FaultSchedule, type OpenOptions, type ScheduledFault, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import type { ClusterEngine, ClusterOptions } from "../src/index.js";
import { Cluster, rowsOf } from "./cluster.js";

const PRESENCE_MS = 2_000;
const OPTIONS: Partial<ClusterOptions> = {
  presenceMs: PRESENCE_MS,
  commitTimeoutMs: 1_000,
  wal: { segmentMaxBytes: 600, maxRecordBytes: 300 },
};
const VALUE = "x".repeat(150);
/** So many writes fill a segment. The next write opens another. */
const FILLING = 3;

type Kind = "disk-full" | "io-error" | "no-descriptors";

/** More operations than a test makes. */
const MANY = 20_000;

/** Lets `after` operations of the node's disk pass that can fail with this kind. Then one fails, and so many more, until the schedule is cancelled. */
function breakDisk(cluster: Cluster, name: string, kind: Kind, after = 0, more = MANY): FaultSchedule {
  const rest: ScheduledFault[] = Array(more).fill({ kind, after: 0 });
  const faults = cluster.disks.get(name)?.scheduleFaults({ kind, after }, ...rest);
  if (faults === undefined) throw new Error(`${name} has no disk`);
  return faults;
}

/** A disk that may have no room for tables. */
class DiskForLog extends SimDisk {
  takesTables = true;

  override open(path: string, options?: OpenOptions): Promise<DiskFile> {
    if (this.takesTables || !path.startsWith("sst/") || options?.create !== true)
      return super.open(path, options);
    return Promise.reject(new KayaError("KAYA_DISK_FULL", `open ${path}: no space left.`));
  }
}

async function fillSegment(node: ClusterEngine): Promise<void> {
  for (let i = 0; i < FILLING; i++) await node.put(`k${i}`, VALUE);
}

const errorOf = (call: Promise<unknown>): Promise<KayaError | undefined> =>
  call.then(
    () => undefined,
    (error: KayaError) => error,
  );

const LOCAL = /^KAYA_(DISK_FULL|IO)$/;

describe("a writer whose disk is full or broken before an append", () => {
  it.each<Kind>(["disk-full", "io-error", "no-descriptors"])(
    "makes way for a node that has room, at each operation of a rotation (%s)",
    async (kind) => {
      let madeWay = 0;
      for (let after = 0; ; after++) {
        const cluster = new Cluster();
        const a = await cluster.open("a", OPTIONS);
        const b = await cluster.open("b", OPTIONS);
        await fillSegment(a);
        await b.catchUp();
        const troubles: string[] = [];
        a.on("trouble", ({ code }) => troubles.push(code));
        const entries = cluster.log.history.length;
        // With each operation broken a rotation cannot be taken back: the node fails. So an I/O error comes once.
        const faults = breakDisk(cluster, "a", kind, after, kind === "io-error" ? 0 : MANY);
        const refused = await errorOf(a.put("next", VALUE));
        if (refused === undefined) {
          faults.cancel();
          await cluster.close();
          break;
        }
        const when = `${kind} at ${after}`;
        if (a.role !== "failed")
          expect(await errorOf(a.put("k", "v")), when).toMatchObject({ code: "KAYA_NOT_LEADER" });
        const began = cluster.clock.now();
        await cluster.until(() => b.role === "writer");
        expect(cluster.clock.now() - began, when).toBeLessThan(2 * PRESENCE_MS);
        await b.put("next", "of b");
        if (a.role !== "failed") {
          madeWay++;
          expect(refused.code, when).toMatch(LOCAL);
          expect(troubles, when).toContain(refused.code);
          expect(cluster.log.history.length, when).toBe(entries + 1);
          expect(await errorOf(a.put("k", "v")), when).toMatchObject({
            code: "KAYA_NOT_LEADER",
            leader: "http://b",
          });
        }
        faults.cancel();
        let again = a;
        if (a.role === "failed") {
          await a.close().catch(() => undefined);
          again = await cluster.open("a", OPTIONS);
        }
        await again.promote();
        await again.put("k", "of a");
        await b.catchUp();
        expect(await rowsOf(b), when).toMatchObject({ next: "of b", k: "of a" });
        expect(await rowsOf(again), when).toEqual(await rowsOf(b));
        await cluster.close();
      }
      expect(madeWay).toBeGreaterThan(0);
    },
  );

  it("makes way too if memtables are full and cannot be flushed", async () => {
    const cluster = new Cluster();
    const options = { ...OPTIONS, wal: {}, memory: { memtableBytes: 64 * 1024 } };
    const disk = new DiskForLog();
    cluster.disks.set("a", disk);
    const a = await cluster.open("a", options);
    const b = await cluster.open("b", options);
    disk.takesTables = false;
    let refused: KayaError | undefined;
    for (let i = 0; refused === undefined && i < 1_000; i++)
      refused = await errorOf(a.put(`k${i}`, "x".repeat(1_000)));
    expect(refused).toMatchObject({
      code: "KAYA_DISK_FULL",
      message: expect.stringContaining("memtableBytes are used up"),
    });
    await cluster.until(() => b.role === "writer");
    expect(a.role).toBe("follower");
    await b.put("next", "of b");
    expect(await errorOf(a.promote())).toMatchObject({ code: "KAYA_DISK_FULL" });
    expect(b.role).toBe("writer");
    disk.takesTables = true;
    await a.promote();
    await a.put("next", "of a");
    await b.catchUp();
    expect(await rowsOf(b)).toEqual(await rowsOf(a));
    await cluster.close();
  });

  it("makes way before its first write too", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a", OPTIONS);
    const b = await cluster.open("b", OPTIONS);
    const faults = breakDisk(cluster, "a", "disk-full");
    expect(await errorOf(a.put("k", "v"))).toMatchObject({ code: "KAYA_DISK_FULL" });
    await cluster.until(() => b.role === "writer");
    expect(await errorOf(a.promote())).toMatchObject({ code: "KAYA_DISK_FULL" });
    expect(b.role).toBe("writer");
    faults.cancel();
    await a.promote();
    await a.put("k", "of a");
    await cluster.close();
  });

  it("stays the writer if no other node could take over, and takes the first write that has room", async () => {
    for (const other of [undefined, "follower"] as const) {
      const cluster = new Cluster();
      const a = await cluster.open("a", OPTIONS);
      if (other !== undefined) await cluster.open("b", { ...OPTIONS, role: other });
      await fillSegment(a);
      await cluster.clock.sleep(PRESENCE_MS);
      const faults = breakDisk(cluster, "a", "disk-full");
      for (let i = 0; i < 3; i++) {
        expect(await errorOf(a.put("next", VALUE))).toMatchObject({ code: "KAYA_DISK_FULL" });
        await cluster.clock.sleep(PRESENCE_MS);
      }
      faults.cancel();
      await a.put("next", "of a");
      expect(a).toMatchObject({ role: "writer", epoch: 1 });
      expect(await rowsOf(a)).toMatchObject({ next: "of a" });
      await cluster.close();
    }
  });

  it("becomes the writer again when it has room, if the other node is gone; until then it claims nothing", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a", OPTIONS);
    await cluster.open("b", OPTIONS);
    await fillSegment(a);
    await cluster.clock.sleep(PRESENCE_MS / 2);
    cluster.log.partition("b"); // its presence has not run out yet
    const faults = breakDisk(cluster, "a", "disk-full");
    expect(await errorOf(a.put("next", VALUE))).toMatchObject({ code: "KAYA_DISK_FULL" });
    expect(a).toMatchObject({ role: "follower", epoch: 1 });
    const end = cluster.clock.now() + 60 * PRESENCE_MS;
    const codes = new Set<string | undefined>();
    while (cluster.clock.now() < end) {
      codes.add((await errorOf(a.put("next", VALUE)))?.code);
      await cluster.clock.sleep(PRESENCE_MS / 4);
    }
    // While others could take over it is only not the writer.
    expect([...codes]).toEqual(["KAYA_NOT_LEADER", "KAYA_DISK_FULL"]);
    expect(await errorOf(a.promote())).toMatchObject({ code: "KAYA_DISK_FULL" });
    expect(cluster.log.head?.epoch).toBe(1);
    faults.cancel();
    await cluster.until(() => a.role === "writer");
    await a.put("next", "of a");
    expect(a.epoch).toBe(2);
    expect(await rowsOf(a)).toMatchObject({ next: "of a" });
    await cluster.close();
  });

  it("waits with the other nodes until one has room, if all disks are full", async () => {
    for (const first of ["a", "b"]) {
      const cluster = new Cluster();
      const nodes = new Map([
        ["a", await cluster.open("a", OPTIONS)],
        ["b", await cluster.open("b", OPTIONS)],
      ]);
      const [a, b] = [...nodes.values()] as [ClusterEngine, ClusterEngine];
      await fillSegment(a);
      await b.catchUp();
      const faults = new Map([...nodes.keys()].map((name) => [name, breakDisk(cluster, name, "disk-full")]));
      const end = cluster.clock.now() + 60 * PRESENCE_MS;
      while (cluster.clock.now() < end) {
        for (const node of nodes.values()) expect(await errorOf(node.put("next", VALUE))).toBeDefined();
        await cluster.clock.sleep(PRESENCE_MS / 4);
      }
      // Each node claims once at most before it looks whether it has room.
      expect(cluster.log.head?.epoch).toBeLessThanOrEqual(3);
      expect([a.role, b.role]).not.toContain("failed");
      faults.get(first)?.cancel();
      const node = nodes.get(first) as ClusterEngine;
      await cluster.until(() => node.role === "writer");
      await node.put("next", `of ${first}`);
      for (const schedule of faults.values()) schedule.cancel();
      await Promise.all([a.catchUp(), b.catchUp()]);
      expect(await rowsOf(a)).toEqual(await rowsOf(b));
      expect(await rowsOf(a)).toMatchObject({ next: `of ${first}` });
      await cluster.close();
    }
  });

  it("does not make the present writer make way again and again for a node that cannot write", async () => {
    const cluster = new Cluster();
    const a = await cluster.open("a", OPTIONS);
    const b = await cluster.open("b", OPTIONS);
    await fillSegment(a);
    await b.catchUp();
    const faults = breakDisk(cluster, "a", "disk-full");
    expect(await errorOf(a.put("next", VALUE))).toBeDefined();
    await cluster.until(() => b.role === "writer");
    // An operator asks, and does not withdraw it.
    await cluster.log.client("operator").want("a");
    await cluster.clock.sleep(60 * PRESENCE_MS);
    expect(cluster.log.members.wanted).toBeUndefined();
    expect(cluster.log.head?.epoch).toBeLessThanOrEqual(4);
    await cluster.until(() => b.role === "writer");
    await b.put("next", "of b");
    faults.cancel();
    await a.catchUp();
    await cluster.close();
  });

  it("goes on after a second fault, in the taking back or in the next look", async () => {
    const kinds: readonly Kind[] = ["disk-full", "io-error"];
    let met = 0;
    for (const kind of kinds)
      for (let first = 0; first < 6; first++)
        for (let second = 0; second < 6; second++) {
          const cluster = new Cluster();
          let a = await cluster.open("a", OPTIONS);
          await cluster.open("b", OPTIONS);
          await fillSegment(a);
          await cluster.clock.sleep(PRESENCE_MS / 2);
          cluster.log.partition("b"); // `a` makes way, and nobody takes over
          const faults = cluster.disks
            .get("a")
            ?.scheduleFaults({ kind, after: first }, { kind: "io-error", after: second });
          const refused = await errorOf(a.put("next", VALUE));
          await cluster.clock.sleep(3 * PRESENCE_MS);
          met += faults?.met.length === 2 ? 1 : 0;
          faults?.cancel();
          if (a.role === "failed") {
            await a.close().catch(() => undefined);
            a = await cluster.open("a", OPTIONS);
          }
          await cluster.until(() => a.role === "writer");
          await a.put("last", "v");
          const rows = await rowsOf(a);
          const when = `${kind} at ${first}, then at ${second}`;
          expect(rows, when).toMatchObject({ k0: VALUE, k1: VALUE, k2: VALUE, last: "v" });
          if (refused === undefined) expect(rows, when).toHaveProperty("next");
          else if (refused.code.match(LOCAL)) expect(rows, when).not.toHaveProperty("next");
          await cluster.close();
        }
    expect(met).toBeGreaterThan(10);
  });
});
