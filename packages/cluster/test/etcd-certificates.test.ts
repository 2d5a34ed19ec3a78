import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { etcdLog } from "@kaya/cluster";
import { type EtcdCluster, startEtcd, whyNoEtcd } from "@kaya/cluster/testing";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { makeCertificates } from "../src/testing/etcd/certificates.js";

const missing = whyNoEtcd({ tls: true });
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

/** What the first call says to a server on 127.0.0.1 whose certificate is for these names. */
async function refusalOf(host: string, names: string): Promise<unknown> {
  const directory = await mkdtemp(join(tmpdir(), "kaya-certificates-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const { ca, files } = await makeCertificates(directory, names);
  const [cert, key] = [await readFile(files.cert), await readFile(files.key)];
  const server = createServer({ cert, key, ALPNProtocols: ["h2"] }, (socket) => socket.destroy());
  server.on("tlsClientError", () => undefined); // the client refuses the certificate
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const log = etcdLog({ endpoints: [`https://${host}:${port}`], prefix: "/tls", tls: { ca } });
  try {
    return await log.head().catch((error: unknown) => error);
  } finally {
    await log.close();
    server.close();
  }
}

describe.skipIf(missing !== undefined)(`the certificate of etcd${skipped}`, () => {
  const warnings: unknown[] = [];
  const note = ({ code }: NodeJS.ErrnoException) => void warnings.push(code);
  let etcd: EtcdCluster;
  beforeAll(async () => {
    process.on("warning", note);
    etcd = await startEtcd({ tls: true });
  });
  afterAll(async () => {
    process.off("warning", note);
    await etcd?.stop();
  });

  it.each(["127.0.0.1", "localhost"])(
    "is accepted if it is for the host %s that was asked for, and Node.js does not warn of its name",
    async (host) => {
      const endpoints = etcd.endpoints.map((endpoint) => endpoint.replace("127.0.0.1", host));
      const log = etcdLog({ ...etcd.connection, endpoints, prefix: "/tls" });
      expect(await log.head()).toBeUndefined();
      await log.close();
      expect(warnings).not.toContain("DEP0123");
    },
  );

  it.each([
    ["127.0.0.1", "IP:127.0.0.2"],
    ["127.0.0.1", "DNS:127.0.0.1,DNS:localhost"],
    ["127.0.0.1", "IP:127.0.0.2,DNS:etcd.invalid"], // the name that is sent for an IP address
    ["localhost", "IP:127.0.0.1,DNS:etcd.invalid"],
  ])("is refused if %s was asked for, and it is for %s", async (host, names) => {
    expect(await refusalOf(host, names)).toMatchObject({
      code: "KAYA_IO",
      message: expect.stringContaining("does not match certificate's altnames"),
    });
  });
});
