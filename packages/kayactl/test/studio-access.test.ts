import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { filledDirectory } from "./helpers.js";
import { ask, askOpen, letIn, readingStudio, type Studio, writingStudio } from "./studio.js";

const problemOf = (body: Buffer) => JSON.parse(body.toString()) as { code: string; message: string };
const tokenOf = (address = "") => new URL(address).searchParams.get("token") ?? "";

describe("the address that is shown", () => {
  test("lets one browser in, once: its token becomes a cookie that scripts do not see", async () => {
    const { port, addresses, cookie, at } = await readingStudio(await filledDirectory(1));
    expect(addresses[0]).toMatch(
      new RegExp(`^http://127\\.0\\.0\\.1:${port}/[\\w-]{22}/\\?token=[\\w-]{43}$`),
    );
    expect(cookie).toMatch(/^kaya_studio=[\w-]{43}$/);
    const again = await ask(port, at(`/?token=${tokenOf(addresses[0])}`));
    expect(again.status).toBe(403);
    expect(again.headers["set-cookie"]).toBeUndefined();
    expect(again.body.toString()).toContain("Open the last one that the terminal with kayactl studio shows.");
  });

  test("is followed by another one where it was spent, and never by more than one", async () => {
    const { port, addresses, at } = await readingStudio(await filledDirectory(1));
    for (const path of ["/", at("/"), "/of-another-run/"]) expect((await ask(port, path)).status).toBe(403);
    expect(addresses).toHaveLength(2);
    const second = await ask(port, at(`/?token=${tokenOf(addresses[1])}`));
    expect(second).toMatchObject({ status: 303, headers: { location: at("/") } });
    // Servers of other users on 127.0.0.1 do not know the path, so a browser does not send them the cookie.
    expect(second.headers["set-cookie"]?.[0]).toMatch(
      /^kaya_studio=[\w-]{43}; Path=\/[\w-]{22}\/; HttpOnly; SameSite=Strict$/,
    );
    expect(second.headers["set-cookie"]?.[0]).toContain(`Path=${at("/")};`);
  });

  test("is not spent by a wrong token", async () => {
    const { port, addresses, at } = await readingStudio(await filledDirectory(1));
    await ask(port, "/");
    for (const token of ["", "x", "a".repeat(43), `${tokenOf(addresses[1])}A`, "%00", "é"])
      expect((await ask(port, at(`/?token=${encodeURIComponent(token)}`))).status).toBe(403);
    expect(await letIn(port, addresses[1] ?? "")).not.toBe("");
  });

  test("leads a page that is let in already to the page", async () => {
    const { get, addresses, at } = await readingStudio(await filledDirectory(1));
    expect(await get(`/?token=${tokenOf(addresses[0])}`)).toMatchObject({
      status: 303,
      headers: { location: at("/") },
    });
  });

  test("has a path that no other studio has, and nothing is served beside it", async () => {
    const [one, other] = [
      await readingStudio(await filledDirectory(1)),
      await readingStudio(await filledDirectory(1)),
    ];
    expect(one.at("/")).not.toBe(other.at("/"));
    const headers = { cookie: one.cookie };
    for (const path of ["/api/store", "/app.js", other.at("/api/store")])
      expect((await ask(one.port, path, { headers })).status).toBe(403);
    expect((await ask(one.port, other.at("/"), { headers })).status).toBe(403);
  });
});

describe("without the cookie", () => {
  test.each(["/api/store", "/api/rows", "/api/events", "/api/export", "/api/value?key=", "/nothing"])(
    "%s is refused",
    async (path) => {
      const { port, cookie, at } = await readingStudio(await filledDirectory(1));
      for (const other of ["", `${cookie}x`, cookie.slice(0, -1), `${cookie}; ${cookie}`, "kaya_studio=x"]) {
        const { status, body } = await ask(port, at(path), { headers: { cookie: other } });
        expect(status).toBe(403);
        expect(problemOf(body).code).toBe("FORBIDDEN");
      }
    },
  );

  test("a write is refused, and nothing is written", async () => {
    const { port, rows, at } = await writingStudio(await filledDirectory(1));
    const headers = { origin: `http://127.0.0.1:${port}`, "if-none-match": "*" };
    expect((await ask(port, at("/api/value?key=eA"), { method: "PUT", headers, body: "1" })).status).toBe(
      403,
    );
    expect((await rows()).rows).toHaveLength(1);
  });
});

describe("a request that no page of the studio sends", () => {
  test.each([
    ["another host", { host: "kaya.example:80" }],
    ["a host that was bound to this machine", (port: number) => ({ host: `evil.example:${port}` })],
    ["the host without its port", { host: "127.0.0.1" }],
    ["another port", { host: "127.0.0.1:1" }],
    ["another origin", { origin: "http://evil.example" }],
    ["the origin of another port of this machine", { origin: "http://127.0.0.1:1" }],
    ["no origin that can be named", { origin: "null" }],
    ["another site", { "sec-fetch-site": "cross-site" }],
    ["another port of this machine, says the browser", { "sec-fetch-site": "same-site" }],
    ["a frame", { "sec-fetch-site": "same-origin", "sec-fetch-dest": "iframe" }],
  ])("is refused: %s", async (_, given) => {
    const { port, get } = await readingStudio(await filledDirectory(1));
    const headers = typeof given === "function" ? given(port) : given;
    for (const path of ["/", "/api/store", "/api/events"]) {
      const { status, body } = await get(path, { headers });
      expect(status).toBe(403);
      expect(problemOf(body).code).toBe("FORBIDDEN");
    }
  });

  test("a second Host is refused", async () => {
    const { port, cookie, at } = await readingStudio(await filledDirectory(1));
    const host = `Host: 127.0.0.1:${port}\r\n`;
    const answer = await raw(
      port,
      `GET ${at("/api/store")} HTTP/1.1\r\n${host}${host}Cookie: ${cookie}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 40[03] /);
  });

  test("a write that does not say that the page sent it is refused", async () => {
    const { get, port } = await writingStudio(await filledDirectory(1));
    const path = "/api/value?key=eA";
    const write = { method: "PUT", body: "1" };
    expect((await get(path, { ...write, headers: { "if-none-match": "*" } })).status).toBe(403);
    const typed = { "if-none-match": "*", "sec-fetch-site": "none" };
    expect((await get(path, { ...write, headers: typed })).status).toBe(403);
    const page = { "if-none-match": "*", "sec-fetch-site": "same-origin" };
    expect((await get(path, { ...write, headers: page })).status).toBe(200);
    const local = { "if-match": '"99"', host: `localhost:${port}`, origin: `http://localhost:${port}` };
    expect((await get(path, { ...write, headers: local })).status).toBe(412);
  });

  test.each(["POST", "HEAD", "OPTIONS", "PATCH", "TRACE", "PROPFIND"])("%s is refused", async (method) => {
    const { get } = await readingStudio(await filledDirectory(1));
    expect(await get("/api/store", { method })).toMatchObject({
      status: 405,
      headers: { allow: "GET, PUT, DELETE" },
    });
  });

  test("a method that a path does not have is refused, and what it takes is said", async () => {
    const { send, get } = await writingStudio(await filledDirectory(1));
    expect(await send("DELETE", "/api/rows", {})).toMatchObject({ status: 405, headers: { allow: "GET" } });
    expect((await send("PUT", "/", {})).status).toBe(404);
    expect(
      (await get("/api/store", { method: "GET", body: "x", headers: { "content-length": 1 } })).status,
    ).toBe(400);
  });

  test.each([
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc/passwd",
    "//etc/passwd",
    "/app.js/../../index.html",
    "/server.js",
    "/api.js",
    "/index.html",
    "/api/storex",
    "/__proto__",
    "/constructor",
    "/api/",
    "/\\..\\x",
    "http://evil.example/api/store",
  ])("%s leads nowhere", async (path) => {
    const { get } = await readingStudio(await filledDirectory(1));
    const { status, body } = await get(path);
    expect([400, 403, 404]).toContain(status);
    expect(problemOf(body).code).toMatch(/^(NOT_FOUND|FORBIDDEN|BAD_REQUEST)$/);
  });

  test.each([
    "/api/rows?limit=0",
    "/api/rows?limit=1001",
    "/api/rows?limit=1e2",
    "/api/rows?limit=",
    "/api/rows?prefix=%ff",
    "/api/rows?prefix=a",
    "/api/rows?prefix=YQ==",
    "/api/rows?prefix=YQ&prefix=YQ",
    "/api/rows?nothing=1",
    "/api/rows?__proto__=1",
    "/api/rows?reverse=true",
    "/api/tree?delimiter=",
    "/api/tree?delimiter=YWE",
    "/api/value",
    "/api/value?key=YQ&offset=-1",
    "/api/value?key=YQ&length=99999999999999999999",
    "/api/export?format=csv",
    "/api/store?x=1",
  ])("%s is told what is wrong with it", async (path) => {
    const { get } = await readingStudio(await filledDirectory(1));
    const { status, body } = await get(path);
    expect(status).toBe(400);
    expect(problemOf(body)).toMatchObject({ code: "BAD_REQUEST", message: expect.stringMatching(/\w/) });
  });

  test("an address without bounds is refused", async () => {
    const { get } = await readingStudio(await filledDirectory(1));
    expect((await get(`/api/rows?prefix=${"a".repeat(70_000)}`)).status).toBe(414);
    expect((await get(`/api/rows?prefix=${"a".repeat(200_000)}`)).status).toBe(431);
  });
});

test("each answer keeps the page to itself", async () => {
  const { get, port } = await readingStudio(await filledDirectory(1));
  for (const { headers } of [
    await get("/"),
    await get("/api/store"),
    await get("/x"),
    await ask(port, "/"),
    await get("/api/export"),
  ]) {
    expect(headers).toMatchObject({
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
    });
    expect(headers["content-security-policy"]).toContain("default-src 'none'; script-src 'self'");
    expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  }
});

test("the page is served as it was built, and a build that is missing is told", async () => {
  const data = await filledDirectory(1);
  const built = await readingStudio(data);
  expect((await built.get("/")).body.toString()).toContain("<title>page</title>");
  const missing = await readingStudio(data, new Map());
  const { status, body } = await missing.get("/");
  expect(status).toBe(503);
  expect(body.toString()).toContain("npx pnpm@10 build");
});

describe("a connection that is no browser's", () => {
  test.each([
    ["garbage", "\u0000\u0001\u0002 hello\r\n\r\n"],
    ["no HTTP", "SSH-2.0-x\r\n"],
    ["TLS", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000"],
    ["two lengths", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    [
      "a length and chunks",
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["no Host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"],
    ["an old HTTP without a Host", "GET / HTTP/1.0\r\n\r\n"],
    ["a tunnel", "CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n"],
    ["a header without an end", `GET / HTTP/1.1\r\nX: ${"a".repeat(200_000)}`],
    ["a header that is broken", "GET / HTTP/1.1\r\nHost: x\r\nA\u0000B: c\r\n\r\n"],
  ])("is closed, and the studio goes on: %s", async (_, sent) => {
    const { port, get } = await readingStudio(await filledDirectory(1));
    expect(await raw(port, sent)).toMatch(/^$|^HTTP\/1\.1 4/);
    expect((await get("/api/store")).status).toBe(200);
  });

  test("an upgrade is no upgrade", async () => {
    const { get } = await readingStudio(await filledDirectory(1));
    const headers = { connection: "Upgrade", upgrade: "websocket" };
    expect([200, 400]).toContain((await get("/api/store", { headers })).status);
  });

  test("many that say nothing keep nobody out for long, nor the studio from ending", async () => {
    const studio: Studio = await readingStudio(await filledDirectory(1));
    const silent = Array.from({ length: 100 }, () => connect(studio.port, "127.0.0.1"));
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    for (const socket of silent) socket.on("error", () => undefined).write("GET / HTTP/1.1\r\n");
    expect((await studio.get("/api/store")).status).toBe(200);
    const stream = await askOpen(studio.port, studio.at("/api/events"), {
      headers: { cookie: studio.cookie },
    });
    stream.on("error", () => undefined);
    await studio.close();
    await expect(ask(studio.port, "/")).rejects.toThrow();
  });
});

/** What comes back for some bytes, until the connection is closed. */
async function raw(port: number, sent: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  socket.write(Buffer.from(sent, "latin1"));
  await new Promise((resolve) => socket.once("close", resolve)); // a reset is a close, too
  return received;
}
