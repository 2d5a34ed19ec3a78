import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { SimDisk } from "@kaya/io";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ClusterEngine, type EtcdLog, type EtcdLogOptions, etcdLog } from "../src/index.js";
import { type EtcdCluster, startEtcd, whyNoEtcd } from "../src/testing/index.js";
import { EtcdGateway } from "./etcd-gateway.js";

const missing = whyNoEtcd();
const ORIGIN = { logId: "0123456789abcdef", lsn: 0, sequence: 0 };
const base64 = (text: string) => Buffer.from(text).toString("base64");

describe.skipIf(missing !== undefined)("keys of etcd that another program changed", () => {
  let etcd: EtcdCluster;
  const open: EtcdLog[] = [];

  beforeAll(async () => {
    etcd = await startEtcd();
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((log) => log.close()));
  });

  afterAll(async () => {
    await etcd?.stop();
  });

  function logOf(prefix: string, options: Partial<EtcdLogOptions> = {}): EtcdLog {
    const log = etcdLog({ ...etcd.connection, prefix, ...options });
    open.push(log);
    return log;
  }

  it("an unreadable presence and an unreadable request for a writer are skipped: nodes still take over", async () => {
    const prefix = `/foreign/${randomUUID()}`;
    for (const key of ["nodes/zz", "wanted"])
      await etcd.admin("/v3/kv/put", { key: base64(`${prefix}/${key}`), value: base64("not ours") });
    const log = logOf(prefix);
    expect(await log.members()).toEqual({ nodes: [], wanted: undefined });
    const node = await ClusterEngine.open({ log, nodeId: "a" }, new SimDisk());
    expect(node.role).toBe("writer");
    await node.close();
  });

  it("a log whose head was deleted is not begun again, also if all entries were trimmed", async () => {
    const prefix = `/foreign/${randomUUID()}`;
    const log = logOf(prefix);
    await log.claim(undefined, { writer: "a", origin: ORIGIN });
    await etcd.admin("/v3/kv/deleterange", { key: base64(`${prefix}/head`) });
    await expect(log.claim(undefined, { writer: "b", origin: ORIGIN })).rejects.toMatchObject({
      code: "KAYA_CORRUPTION",
    });
  });

  it("a claim that etcd answers with NOSPACE stays in doubt although the head looks right: another process of the node may have made it", async () => {
    const gateway = new EtcdGateway(`127.0.0.1:${etcd.members[0]?.port}`);
    try {
      const prefix = `/foreign/${randomUUID()}`;
      const head = await logOf(prefix).claim(undefined, { writer: "a", origin: ORIGIN });
      const log = logOf(prefix, { endpoints: [await gateway.listen()] });
      const answer = {
        code: status.RESOURCE_EXHAUSTED,
        details: "etcdserver: mvcc: database space exceeded",
      };
      // The first transaction of a claim only reads the base.
      gateway.fault = (nth) => (nth === 2 ? { isDone: true, answer } : undefined);
      await expect(log.claim(head, { writer: "a", origin: ORIGIN })).rejects.toMatchObject({
        code: "KAYA_IN_DOUBT",
      });
    } finally {
      gateway.close();
    }
  });
});
