import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ClusterEngine, type ClusterOptions, directoryBlobStore, etcdLog } from "../src/index.js";
import { type EtcdCluster, startEtcd, whyNoEtcd } from "../src/testing/index.js";
import { rowsOf } from "./cluster.js";

const reason = await whyNoEtcd();
if (reason !== undefined) console.log(`the tests over etcd are skipped: ${reason}`);

const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString();

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(20);
}

describe.skipIf(reason !== undefined)("nodes over three members of etcd", () => {
  let etcd: EtcdCluster;
  let root: string;
  let logs = 0;
  const open = new Set<ClusterEngine>();

  beforeAll(async () => {
    etcd = await startEtcd();
    root = await mkdtemp(join(tmpdir(), "kaya-nodes-"));
  });

  afterAll(async () => {
    await Promise.allSettled([...open].map((node) => node.close()));
    await etcd?.stop();
    await rm(root, { recursive: true, force: true });
  });

  /** Gives each test a log of its own. */
  function setUp() {
    const prefix = `/test-${++logs}`;
    return async (name: string, options: Partial<ClusterOptions> = {}): Promise<ClusterEngine> => {
      const log = etcdLog({ ...etcd.connection, prefix });
      const dataDir = join(root, prefix, name);
      const node = await ClusterEngine.open({ log, dataDir, address: `http://${name}`, ...options });
      open.add(node);
      return node;
    };
  }

  it("have the same data; another node takes over when the writer stops; each node can be restarted", async () => {
    const node = setUp();
    const a = await node("a");
    const b = await node("b");
    const c = await node("c", { role: "follower" });
    expect([a.role, b.role, c.role]).toEqual(["writer", "follower", "follower"]);
    await Promise.all(Array.from({ length: 500 }, (_, i) => a.put(`k${i}`, `${i}`)));
    expect(text(await b.get("k499", { consistency: "linearizable" }))).toBe("499");
    await expect(c.put("k", "v")).rejects.toMatchObject({ code: "KAYA_NOT_LEADER", leader: "http://a" });
    await a.close();
    await until(() => b.role === "writer");
    await b.put("after", "1");
    const again = await node("a");
    expect(again.role).toBe("follower");
    expect(again.nodeId).toBe(a.nodeId);
    await c.catchUp();
    const rows = await rowsOf(b);
    expect(Object.keys(rows)).toHaveLength(501);
    expect(await rowsOf(again)).toEqual(rows);
    expect(await rowsOf(c)).toEqual(rows);
  });

  it("promote and step down", async () => {
    const node = setUp();
    const a = await node("a");
    const b = await node("b", { role: "follower" });
    await a.put("n", "0");
    let isOver = false;
    // A busy writer also makes way.
    const writing = (async () => {
      while (!isOver) await a.put("n", "1").catch(() => pause(5));
    })();
    await b.promote();
    isOver = true;
    await writing;
    await until(() => a.role === "follower");
    await b.put("n", "2");
    expect(text(await a.get("n", { consistency: "linearizable" }))).toBe("2");
    await b.stepDown();
    await until(() => a.role === "writer");
    await a.put("n", "3");
  });

  it("write each acknowledged write once although replies of etcd are lost", async () => {
    const node = setUp();
    const a = await node("a");
    let isOver = false;
    const cutting = (async () => {
      for (let i = 0; !isOver; i++) {
        const { proxy } = etcd.members[i % 3] as EtcdCluster["members"][number];
        proxy.set("replies");
        await pause(100);
        proxy.set("pass");
        await pause(100);
      }
    })();
    const add = () => a.update("n", (value) => String(Number(text(value) ?? 0) + 1));
    let added = 0;
    let inDoubt = 0;
    const until = Date.now() + 5_000;
    while (Date.now() < until)
      await add().then(
        () => added++,
        async ({ code }: { code: string }) => {
          if (code === "KAYA_IN_DOUBT") inDoubt++;
          await pause(5);
        },
      );
    isOver = true;
    await cutting;
    const n = Number(text(await a.get("n", { consistency: "linearizable" })));
    expect(n).toBeGreaterThanOrEqual(added);
    expect(n).toBeLessThanOrEqual(added + inDoubt);
    expect(added).toBeGreaterThan(10);
  });

  it("can be read without a majority, and write again when it is back", async () => {
    const node = setUp();
    const a = await node("a", { commitTimeoutMs: 1_500 });
    await a.put("k", "1");
    const [first, second] = etcd.members as [EtcdCluster["members"][number], EtcdCluster["members"][number]];
    await Promise.all([first.kill(), second.kill()]);
    const failed = await a.put("k", "2").catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: expect.stringMatching(/KAYA_NO_MAJORITY|KAYA_IN_DOUBT/) });
    expect(text(await a.get("k"))).toBe("1");
    await expect(a.get("k", { consistency: "linearizable" })).rejects.toMatchObject({
      code: "KAYA_NO_MAJORITY",
    });
    await Promise.all([first.restart(), second.restart()]);
    await until(() =>
      a.put("k", "3").then(
        () => true,
        () => false,
      ),
    );
    expect(text(await a.get("k", { consistency: "linearizable" }))).toBe("3");
  });

  it("begin with a base after a trim", async () => {
    const node = setUp();
    const blobStore = directoryBlobStore(join(root, `blobs-${logs}`));
    const options = { blobStore, tailMaxBytes: 4 * 1024 * 1024 };
    const a = await node("a", options);
    for (let i = 0; i < 80; i++) await a.put(`k${i % 20}`, Buffer.alloc(100_000, i));
    await until(() => a.stats().cluster.trims > 0);
    const b = await node("b", options);
    expect(b.stats().cluster.baseLoads).toBeGreaterThan(0); // more than once if the log is trimmed again during the load
    expect(await rowsOf(b)).toEqual(await rowsOf(a));
    expect(a.stats().cluster.tail.bytes).toBeLessThanOrEqual(options.tailMaxBytes);
  });
});
