import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ClusterEngine, etcdLog } from "../src/index.js";

vi.setConfig({ testTimeout: 60_000 });

describe("a node whose etcd cannot be reached", () => {
  let directory: string;
  const servers: Server[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "kaya-unreachable-"));
  });

  afterEach(async () => {
    for (const server of servers.splice(0)) server.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function listen(): Promise<number> {
    const server = createServer((socket) =>
      socket.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n\r\n"),
    );
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return (server.address() as { port: number }).port;
  }

  async function messageOf(endpoint: string): Promise<string> {
    const log = etcdLog({ endpoints: [endpoint], prefix: "/orders", requestTimeoutMs: 500 });
    const opening = ClusterEngine.open({ dataDir: join(directory, "node"), log });
    const error: unknown = await opening.then(
      (node) => node.close(),
      (reason: unknown) => reason,
    );
    await log.close();
    expect(error).toMatchObject({ code: "KAYA_NO_MAJORITY" });
    return (error as Error).message;
  }

  it("reports the reason if no process listens at the address", async () => {
    const port = await listen();
    const [server] = servers.splice(0);
    await new Promise((resolve) => server?.close(resolve));
    const message = await messageOf(`http://127.0.0.1:${port}`);
    expect(message).toContain("ECONNREFUSED");
    expect(message).not.toMatch(/Resolution note|\n/);
  });

  it("reports the address if another program than etcd listens there", async () => {
    const port = await listen();
    expect(await messageOf(`http://127.0.0.1:${port}`)).toContain(`127.0.0.1:${port}: `);
  });
});
