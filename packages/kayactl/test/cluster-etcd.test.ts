import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClusterEngine, directoryBlobStore, etcdLog } from "@kaya/cluster";
import { type EtcdCluster, startEtcd, whyNoEtcd } from "@kaya/cluster/testing";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { absentDirectory, bin, kayactl, longLivedDirectory, temporaryDirectory } from "./helpers.js";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const PREFIX = "/orders";

const missing = whyNoEtcd();
if (missing !== undefined) console.warn(`cluster commands over etcd are not tested: ${missing}`);

describe.skipIf(missing !== undefined)("cluster commands over etcd", () => {
  let etcd: EtcdCluster;
  let directory: string;
  const nodes: ClusterEngine[] = [];

  beforeAll(async () => {
    etcd = await startEtcd();
    directory = await longLivedDirectory();
    vi.stubEnv("KAYA_ETCD", etcd.endpoints.join(","));
    vi.stubEnv("KAYA_ETCD_PREFIX", PREFIX);
  });

  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.close()));
  });

  afterAll(async () => {
    vi.unstubAllEnvs();
    await etcd.stop();
  });

  async function open(nodeId: string): Promise<ClusterEngine> {
    const node = await ClusterEngine.open({
      dataDir: join(directory, nodeId),
      nodeId,
      address: `http://${nodeId}:80`,
      log: etcdLog({ endpoints: etcd.endpoints, prefix: PREFIX }),
      blobStore: directoryBlobStore(join(directory, "blobs")),
    });
    nodes.push(node);
    return node;
  }

  async function becomes(node: ClusterEngine, role: string): Promise<void> {
    if (node.role === role) return;
    await new Promise<void>((resolve) => {
      node.on("role", (now) => {
        if (now === role) resolve();
      });
    });
  }

  test("status, promote, follow and leave", async () => {
    const first = await open("node-1");
    await becomes(first, "writer");
    await first.put("user:1", "Ada");
    const second = await open("node-2");
    const status = await kayactl(["cluster", "status", "--json"]);
    expect(status).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(status.stdout)).toMatchObject({
      epoch: 1,
      writer: { id: "node-1", address: "http://node-1:80", isThere: true },
      lsn: 1,
    });

    const promoted = await kayactl(["cluster", "promote", "node-2"]);
    expect(promoted).toMatchObject({ code: 0, stderr: "" });
    expect(promoted.stdout).toMatch(/^before: node-1, epoch 1, .*\nOK node-2 is the writer, epoch 2, /);
    await becomes(second, "writer");
    await second.put("user:2", "Grace");

    const copy = await absentDirectory();
    const follow = ["cluster", "follow", copy, "--once", "--blobs", join(directory, "blobs")];
    // The program itself: it must end, with nothing left that keeps it alive.
    expect(await bin(...follow)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^OK lsn=2 epoch=2 /),
    });
    await second.put("user:3", "Edsger");
    expect(await bin(...follow)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^OK lsn=3 epoch=2 /),
    });
    expect((await kayactl(["scan", "--data", copy])).stdout).toBe(
      "user:1\tAda\nuser:2\tGrace\nuser:3\tEdsger\n",
    );

    expect((await kayactl(["put", "a", "b", "--data", copy])).code).toBe(4);
    expect(await kayactl(["cluster", "leave", copy])).toMatchObject({ code: 0, stderr: "" });
    expect((await kayactl(["put", "a", "b", "--data", copy])).code).toBe(0);
  });

  test("follow goes on until it is interrupted, tells how far it is, and is read meanwhile", async () => {
    const node = await open("node-1");
    await becomes(node, "writer");
    const copy = await absentDirectory();
    const interruption = new AbortController();
    const argv = ["cluster", "follow", copy, "--every", "0.1", "--node-id", "copy"];
    const following = kayactl(argv, { signal: interruption.signal });
    await node.put("k", "v");
    await vi.waitFor(
      async () => expect((await kayactl(["get", "k", "--data", copy])).stdout).toBe("v\n"),
      60_000,
    );
    const { stdout } = await kayactl(["cluster", "status"]);
    expect(stdout).toMatch(/^copy +follower only /m);
    interruption.abort();
    const outcome = await following;
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toMatch(
      new RegExp(`^lsn=${node.lsn} head_lsn=${node.lsn} lag_records=0 lag_ms=0 epoch=\\d+$`, "m"),
    );
    expect(outcome.stderr).toContain(`kayactl scan --data ${copy}`);
  });

  test("a wrong prefix finds no log, and an etcd that is away is told with its code", async () => {
    const absent = await kayactl(["cluster", "status", "--prefix", "/nobody"]);
    expect(absent).toMatchObject({ code: 2, stdout: "" });
    expect(absent.stderr).toContain("there is no log yet");
    const away = await kayactl(["cluster", "status", "--etcd", "http://127.0.0.1:1"]);
    expect(away.code).toBe(1);
    expect(away.stderr).toContain("error KAYA_NO_MAJORITY");
  });
});

describe.skipIf(missing !== undefined)("cluster commands over an etcd that asks who calls", () => {
  test("certificates come from files, and the password from a file or the environment", async () => {
    const users = [{ name: "kaya", password: "secret", prefix: PREFIX }];
    await using etcd = await startEtcd({ members: 1, tls: true, users });
    const directory = await temporaryDirectory();
    const log = etcdLog({ ...etcd.connection, prefix: PREFIX, username: "kaya", password: "secret" });
    const node = await ClusterEngine.open({ dataDir: join(directory, "node"), nodeId: "node-1", log });
    const write = async (name: string, text: string) => {
      await writeFile(join(directory, name), text);
      return join(directory, name);
    };
    const { ca = "", cert = "", key = "" } = etcd.certificates ?? {};
    const tls = [
      ...["--cacert", await write("ca.pem", ca)],
      ...["--cert", await write("cert.pem", cert), "--key", await write("key.pem", key)],
    ];
    const status = ["cluster", "status", "--etcd", etcd.endpoints.join(), "--prefix", PREFIX];
    const file = await write("password", "secret\n");
    const withFile = await kayactl([...status, ...tls, "--user", "kaya", "--password-file", file]);
    expect(withFile).toMatchObject({ code: 0, stderr: "" });
    expect(withFile.stdout).toMatch(/^node-1 +writer /m);
    vi.stubEnv("KAYA_ETCD_PASSWORD", "secret");
    expect((await kayactl([...status, ...tls, "--user", "kaya"])).code).toBe(0);
    vi.stubEnv("KAYA_ETCD_PASSWORD", "wrong");
    const wrong = await kayactl([...status, ...tls, "--user", "kaya"]);
    vi.unstubAllEnvs();
    expect(wrong).toMatchObject({ code: 1, stdout: "" });
    expect(wrong.stderr).toMatch(/^error KAYA_IO: /);
    expect(wrong.stderr).not.toMatch(/wrong|secret/);
    await node.close();
  });
});
