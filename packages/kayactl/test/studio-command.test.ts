import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { Engine } from "@kaya/engine";
import { describe, expect, onTestFinished, test } from "vitest";
import { absentDirectory, BIN, filledDirectory, kayactl, temporaryDirectory } from "./helpers.js";
import { ask, askOpen, eventsOf, letIn, pathAt } from "./studio.js";

interface Started {
  readonly child: ChildProcessWithoutNullStreams;
  readonly lines: AsyncIterator<string>;
  readonly address: URL;
  readonly port: number;
}

async function start(...argv: readonly string[]): Promise<Started> {
  const child = spawn(process.execPath, [BIN, "studio", ...argv]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const address = new URL(String((await lines.next()).value));
  return { child, lines, address, port: Number(address.port) };
}

async function interrupted({ child }: Started): Promise<number | null> {
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

describe("kayactl studio", () => {
  test("prints an address that lets one browser in, and another one when that is spent; Ctrl-C ends it, with streams open too", async () => {
    const started = await start("--data", await filledDirectory(3));
    const { port, address, lines } = started;
    const at = (path: string) => pathAt(address.href, path);
    expect(address.hostname).toBe("127.0.0.1");
    const cookie = await letIn(port, address.href);
    const store = await ask(port, at("/api/store"), { headers: { cookie } });
    expect(JSON.parse(store.body.toString())).toMatchObject({ mode: "reader" });
    expect((await ask(port, address.pathname + address.search)).status).toBe(403);
    const second = String((await lines.next()).value);
    expect(second).not.toBe(address.href);
    expect(await letIn(port, second)).not.toBe("");
    const streams = await Promise.all(
      [1, 2].map(() => askOpen(port, at("/api/events"), { headers: { cookie } })),
    );
    for (const stream of streams) {
      stream.on("error", () => undefined);
      await eventsOf(stream).next();
    }
    const paused = await askOpen(port, at("/api/export"), { headers: { cookie } });
    paused.on("error", () => undefined).pause();
    expect(await interrupted(started)).toBe(0);
  });

  test("--write has the directory until it ends, and closes it", async () => {
    const data = await filledDirectory(1);
    const started = await start("--write", "--data", data);
    const cookie = await letIn(started.port, started.address.href);
    const headers = { cookie, "sec-fetch-site": "same-origin", "if-none-match": "*" };
    const path = pathAt(started.address.href, "/api/value?key=bmV3");
    const put = await ask(started.port, path, { method: "PUT", headers, body: "1" });
    expect(put.status).toBe(200);
    expect((await kayactl(["put", "a", "b", "--data", data])).code).toBe(6);
    const { code, stderr } = await kayactl(["studio", "--write", "--data", data]);
    expect(code).toBe(6);
    expect(stderr).toMatch(/^error KAYA_LOCK_CONFLICT: .*\nhint: .*"studio" without --write.*\n$/);
    expect(stderr).toContain(String(started.child.pid));
    expect(await interrupted(started)).toBe(0);
    const stats = await kayactl(["stats", "--json", "--data", data]);
    expect(JSON.parse(stats.stdout)).toMatchObject({ entries: 2 });
    const engine = await Engine.open({ dataDir: data });
    expect(engine.lastRecovery.warnings).toEqual([]);
    await engine.close();
  });

  test("listens on the port that is given, says where another program has it, and makes its lines JSON", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const data = await filledDirectory(1);
    const { code, stderr } = await kayactl(["studio", "--port", String(port), "--data", data]);
    expect(code).toBe(1);
    expect(stderr).toContain(`error KAYA_IO: cannot listen on 127.0.0.1:${port}: another program has it`);
    other.close();
    await once(other, "close");
    const child = spawn(process.execPath, [BIN, "studio", "--json", "--port", String(port), "--data", data]);
    onTestFinished(() => void child.kill("SIGKILL"));
    const { value } = await createInterface(child.stdout)[Symbol.asyncIterator]().next();
    expect(JSON.parse(String(value))).toEqual({
      address: expect.stringMatching(`^http://127.0.0.1:${port}/[\\w-]{22}/\\?token=`),
      dataDir: data,
    });
  });

  test("makes no directory, and refuses one that is none", async () => {
    const absent = await absentDirectory();
    expect((await kayactl(["studio", "--data", absent])).code).toBe(2);
    expect((await kayactl(["studio", "--write", "--data", absent])).code).toBe(2);
    expect((await kayactl(["stats", "--data", absent])).code).toBe(2);
    const signal = AbortSignal.abort();
    expect((await kayactl(["studio", "--data", await temporaryDirectory()], { signal })).code).not.toBe(2);
  });

  test.each(["-1", "65536", "x", "1.5", ""])("%o is no port", async (port) => {
    const { code, stderr } = await kayactl(["studio", `--port=${port}`, "--data", "x"]);
    expect(code).toBe(4);
    expect(stderr).toContain("port from 0 to 65535");
  });
});
