import { Engine } from "@kaya/engine";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import type { BlobStore } from "../src/index.js";
import { type Cluster, rowsOf } from "./cluster.js";
import { FaultyBlobStore } from "./faulty-blob-store.js";
import { fill, loseNaming, SIZES, setUp } from "./support/bases.js";

function gate() {
  let open = (): void => undefined;
  const isOpen = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { isOpen, open };
}

async function namesIn(store: BlobStore): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list("base/")) names.push(name);
  return names;
}

/** A follower `b` that was closed, and needs a base now. */
async function withNodeBehind(cluster: Cluster, store: BlobStore) {
  const a = await cluster.open("a", { ...SIZES, blobStore: store });
  const b = await cluster.open("b", { ...SIZES, blobStore: store, role: "follower" });
  await fill(a, 0, 10);
  await b.catchUp();
  await b.close();
  await fill(a, 10, 300);
  return a;
}

describe("a node that is replaced while it claims the log", () => {
  it("follows the new writer, also if it needs a base for that", async () => {
    const { cluster, store } = setUp();
    const first = await cluster.open("first", { ...SIZES, blobStore: store });
    const a = await cluster.open("a", { ...SIZES, blobStore: store });
    const b = await cluster.open("b", { ...SIZES, blobStore: store, role: "follower" });
    await fill(first, 0, 10);
    await Promise.all([a.catchUp(), b.catchUp()]);
    const reads = gate();
    let isHeld = true;
    cluster.log.faults = ({ kind, client }) => {
      if (client !== "a" || !isHeld) return undefined;
      if (kind === "follow") return { kind: "requestLost" };
      return kind === "read" ? { kind: "delay", request: reads.isOpen } : undefined;
    };
    await fill(first, 10, 14);
    await b.catchUp();
    await first.close();
    await cluster.until(() => a.role === "claiming" && cluster.log.head?.writer === "a");
    await b.promote();
    await fill(b, 14, 300);
    isHeld = false;
    reads.open();
    // Without a call of `a`: each reads the head, which shows the new writer.
    await cluster.until(() => a.failure !== undefined || a.lsn === b.lsn);
    expect(a.failure).toBeUndefined();
    expect(await rowsOf(a)).toEqual(await rowsOf(b));
    await cluster.close();
  });
});

describe("the bases of a writer", () => {
  it("go on after an adoption whose naming of the first base arrived late", async () => {
    const { cluster, store } = setUp();
    const disk = new SimDisk();
    cluster.disks.set("a", disk);
    const engine = await Engine.open({}, disk);
    await engine.put("old", "1");
    await engine.close();
    const naming = gate();
    let named = 0;
    cluster.log.faults = ({ kind }) => {
      if (kind !== "setBase") return undefined;
      if (++named === 1) return { kind: "delay", request: naming.isOpen };
      if (named > 2) return undefined;
      naming.open();
      return { kind: "delay", request: 50 };
    };
    const a = await cluster.open("a", { ...SIZES, adopt: true, blobStore: store, commitTimeoutMs: 500 });
    await cluster.clock.sleep(5_000);
    expect(named).toBeGreaterThan(1);
    await fill(a, 0, 300);
    expect(a.stats().cluster.bases).toBeGreaterThan(1);
    await cluster.close();
  });

  it("keep the base before and the margin for slow followers after a naming without an answer", async () => {
    const { cluster, store } = setUp();
    const a = await cluster.open("a", { ...SIZES, blobStore: store, commitTimeoutMs: 1_000 });
    const counts = loseNaming(cluster.log, 3, { afterMs: 0 });
    let before: string[] = [];
    for (let i = 0; counts.lost < 2; i++) {
      if (counts.named < 3) before = cluster.log.base === undefined ? [] : [cluster.log.base.name];
      await fill(a, i, i + 1);
    }
    await cluster.clock.sleep(3_000);
    const base = cluster.log.base;
    expect(await namesIn(store)).toEqual(expect.arrayContaining([...before, base?.name]));
    expect(cluster.log.entries[0]?.firstLsn).toBeLessThanOrEqual(base?.lsn ?? 0);
    await cluster.close();
  });
});

describe("a node that needs a base", () => {
  it("asks again if the log does not name it in time", async () => {
    const { cluster, store } = setUp();
    const a = await withNodeBehind(cluster, store);
    let lost = 0;
    cluster.log.faults = ({ kind, client }) =>
      client === "b" && kind === "base" && lost++ === 0 ? { kind: "requestLost" } : undefined;
    const b = await cluster.open("b", { ...SIZES, blobStore: store, role: "follower", commitTimeoutMs: 500 });
    await cluster.until(() => b.lsn === a.lsn);
    expect(lost).toBeGreaterThan(1);
    expect(b.failure).toBeUndefined();
    await cluster.close();
  });

  it("loads it again after any error of the blob store, also one without a code", async () => {
    const { cluster, store } = setUp();
    const a = await withNodeBehind(cluster, store);
    let failures = 0;
    const flaky = new FaultyBlobStore(store);
    flaky.fault = (_, method) => (method === "get" && failures++ === 0 ? "before" : undefined);
    flaky.error = () => new Error("socket hang up");
    const b = await cluster.open("b", { ...SIZES, blobStore: flaky, role: "follower" });
    await cluster.until(() => b.lsn === a.lsn);
    expect(failures).toBeGreaterThan(1);
    expect(b.failure).toBeUndefined();
    await cluster.close();
  });
});

describe("a presence whose renewals get no answer", () => {
  it("is reported as KAYA_NO_MAJORITY", async () => {
    const { cluster } = setUp();
    const a = await cluster.open("a", { presenceMs: 300 });
    const codes = new Set<string>();
    a.on("trouble", ({ code }) => codes.add(code));
    cluster.log.faults = ({ kind }) =>
      kind === "renew" || kind === "announce" ? { kind: "requestLost" } : undefined;
    await cluster.clock.sleep(9_000);
    expect([...codes]).toEqual(["KAYA_NO_MAJORITY"]);
    await cluster.close();
  });
});
