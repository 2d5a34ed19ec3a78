import { Engine } from "@kaya/engine";
import { describe, expect, test } from "vitest";
import type { Problem, StoreInfo, Written } from "../src/studio/api.js";
import { absentDirectory, filledDirectory, kayactl, snapshot } from "./helpers.js";
import { type Answer, b64, indexedDirectory, readingStudio, type Studio, writingStudio } from "./studio.js";

const pathOf = (key: string | Uint8Array, more = "") => `/api/value?key=${b64(key)}${more}`;
const problemOf = ({ body }: Answer) => JSON.parse(body.toString()) as Problem;
const writtenOf = ({ body }: Answer) => JSON.parse(body.toString()) as Written;

async function valueIn(studio: Studio, key: string | Uint8Array): Promise<{ value: string; etag: string }> {
  const { headers, body } = await studio.get(pathOf(key));
  return { value: body.toString(), etag: headers.etag ?? "" };
}

describe("a studio that writes", () => {
  test("says so, and has the directory", async () => {
    const data = await filledDirectory(1);
    const studio = await writingStudio(data);
    expect(await studio.json<StoreInfo>("/api/store")).toMatchObject({
      mode: "writer",
      writerPid: process.pid,
    });
    await expect(Engine.open({ dataDir: data })).rejects.toMatchObject({ code: "KAYA_LOCK_CONFLICT" });
  });

  test("replaces a value that is as it was read, and gives what the next write is held to", async () => {
    const data = await filledDirectory(2);
    const studio = await writingStudio(data);
    const { etag } = await valueIn(studio, "key-00000");
    const answer = await studio.send("PUT", pathOf("key-00000"), { "if-match": etag }, "new");
    expect(answer.status).toBe(200);
    const written = writtenOf(answer);
    expect(written.lsn).toBe(3);
    expect(await valueIn(studio, "key-00000")).toEqual({ value: "new", etag: written.etag });
    const again = await studio.send("PUT", pathOf("key-00000"), { "if-match": written.etag }, "newer");
    expect(again.status).toBe(200);
    await studio.close();
    const engine = await Engine.open({ dataDir: data, readOnly: true });
    expect(Buffer.from((await engine.get("key-00000")) ?? []).toString()).toBe("newer");
    await engine.close();
  });

  test("makes and deletes keys of any bytes, with values of any bytes", async () => {
    const studio = await writingStudio(await filledDirectory(1));
    for (const key of [
      Buffer.alloc(0),
      Buffer.from([0, 0xff, 10]),
      Buffer.from("<b>\"'&?#%"),
      Buffer.alloc(4096, 7),
    ]) {
      const value = Buffer.concat([Buffer.from([0, 255, 254]), key]);
      const put = await studio.send("PUT", pathOf(key), { "if-none-match": "*" }, value);
      expect(put.status).toBe(200);
      expect((await studio.get(pathOf(key))).body).toEqual(value);
      const deleted = await studio.send("DELETE", pathOf(key), { "if-match": writtenOf(put).etag });
      expect(deleted.status).toBe(200);
      expect(writtenOf(deleted).etag).toBeUndefined();
      expect((await studio.get(pathOf(key))).status).toBe(404);
    }
  });

  test.each([
    ["a value that changed since", (etag: string) => ({ "if-match": etag }), "key-00000"],
    ["a key that is there", () => ({ "if-none-match": "*" }), "key-00000"],
    ["a key that is gone", (etag: string) => ({ "if-match": etag }), "none"],
  ])("does not write over %s", async (_, headersOf, key) => {
    const studio = await writingStudio(await filledDirectory(1));
    const before = await valueIn(studio, "key-00000");
    await studio.send("PUT", pathOf("key-00000"), { "if-match": before.etag }, "somebody else's");
    const lsn = (await studio.store.look()).lastLsn;
    const answer = await studio.send("PUT", pathOf(key), headersOf(before.etag), "mine");
    expect(answer.status).toBe(412);
    expect(problemOf(answer)).toMatchObject({ code: "KAYA_CONFLICT" });
    expect((await studio.send("DELETE", pathOf("key-00000"), { "if-match": before.etag })).status).toBe(412);
    expect((await valueIn(studio, "key-00000")).value).toBe("somebody else's");
    expect((await studio.store.look()).lastLsn).toBe(lsn);
  });

  test("lets one of many win that write at once", async () => {
    const studio = await writingStudio(await filledDirectory(1));
    const { etag } = await valueIn(studio, "key-00000");
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        studio.send("PUT", pathOf("key-00000"), { "if-match": etag }, `${i}`),
      ),
    );
    const won = answers.flatMap(({ status }, i) => (status === 200 ? [`${i}`] : []));
    expect(won).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 412)).toHaveLength(19);
    expect((await valueIn(studio, "key-00000")).value).toBe(won[0]);
  });

  test("keeps, sets and takes away the time at which a value expires", async () => {
    const data = await absentDirectory();
    const engine = await Engine.open({ dataDir: data });
    const first = Date.now() + 3_600_000;
    await engine.put("a", "1", { expiresAt: first });
    const studio = await writingStudio(data, engine);
    let etag = (await valueIn(studio, "a")).etag;
    const put = async (more: string) => {
      const answer = await studio.send("PUT", pathOf("a", more), { "if-match": etag }, "2");
      etag = writtenOf(answer).etag ?? "";
      return (await studio.get(pathOf("a"))).headers["kaya-expires-at"];
    };
    expect(await put("")).toBe(String(first));
    expect(await put(`&expiresAt=${first + 1}`)).toBe(String(first + 1));
    expect(await put("&expiresAt=never")).toBeUndefined();
    expect(await put("")).toBeUndefined();
    for (const bad of ["", "0", "-1", "x", "1e15", "99999999999999999"])
      expect(
        (await studio.send("PUT", pathOf("a", `&expiresAt=${bad}`), { "if-match": etag }, "3")).status,
      ).toBe(400);
  });

  test.each([
    [428, {}],
    [400, { "if-match": "*" }],
    [400, { "if-match": "7" }],
    [400, { "if-match": 'W/"1"' }],
    [400, { "if-match": '"1", "2"' }],
    [400, { "if-match": '"0"' }],
    [400, { "if-match": '"x"' }],
    [400, { "if-match": '"99999999999999999999"' }],
    [400, { "if-none-match": '"1"' }],
    [400, { "if-match": '"1"', "if-none-match": "*" }],
  ])("refuses a write whose condition is none (%i): %j", async (status, headers) => {
    const studio = await writingStudio(await filledDirectory(1));
    for (const method of ["PUT", "DELETE"] as const)
      expect(
        (await studio.send(method, pathOf("key-00000"), headers, method === "PUT" ? "x" : undefined)).status,
      ).toBe(status);
    expect((await studio.send("DELETE", pathOf("key-00000"), { "if-none-match": "*" })).status).toBe(400);
    expect((await valueIn(studio, "key-00000")).value).toBe("value-0");
  });

  test("takes a value of 16 MiB, and no longer one, with a length or in pieces", async () => {
    const studio = await writingStudio(await filledDirectory(1));
    const value = Buffer.alloc(16 * 1024 * 1024, "0123456789");
    const put = await studio.send("PUT", pathOf("big"), { "if-none-match": "*" }, value);
    expect(put.status).toBe(200);
    expect((await studio.get(pathOf("big"))).body.equals(value)).toBe(true);
    const longer = Buffer.alloc(value.length + 1);
    const headers = { "if-none-match": "*" };
    for (const more of [{}, { "transfer-encoding": "chunked" }])
      expect((await studio.send("PUT", pathOf("c"), { ...headers, ...more }, longer)).status).toBe(413);
    expect((await studio.get(pathOf("c"))).status).toBe(404);
  });

  test("refuses keys and values that the store does not take", async () => {
    const studio = await writingStudio(await filledDirectory(1));
    const long = await studio.send("PUT", pathOf("k".repeat(4097)), { "if-none-match": "*" }, "x");
    expect(long.status).toBe(400);
    expect(problemOf(long)).toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
      message: expect.stringContaining("4097"),
    });
    const own = Buffer.from("\xffkaya\0x", "latin1");
    for (const method of ["PUT", "DELETE"] as const)
      expect((await studio.send(method, pathOf(own), { "if-match": '"1"' })).status).toBe(403);
  });

  test("leaves the rows of an index to the programs that declare it", async () => {
    const data = await indexedDirectory();
    const studio = await writingStudio(data);
    const { etag } = await valueIn(studio, "user:1");
    for (const answer of [
      await studio.send("PUT", pathOf("user:1"), { "if-match": etag }, "x"),
      await studio.send("DELETE", pathOf("user:1"), { "if-match": etag }),
      await studio.send("PUT", pathOf("user:2"), { "if-none-match": "*" }, "x"),
    ]) {
      expect(answer.status).toBe(400);
      expect(problemOf(answer)).toMatchObject({
        code: "KAYA_INVALID_ARGUMENT",
        message: expect.stringContaining("the index byName"),
      });
    }
    expect((await studio.send("PUT", pathOf("users"), { "if-none-match": "*" }, "x")).status).toBe(200);
    await studio.close();
    expect((await kayactl(["verify", "--data", data])).code).toBe(0);
  });

  test("deletes no range", async () => {
    const studio = await writingStudio(await filledDirectory(3));
    for (const path of [
      "/api/value?prefix=",
      "/api/rows?prefix=",
      "/api/tree?prefix=",
      pathOf("key-00000", "&prefix=YQ"),
    ])
      expect([400, 405]).toContain((await studio.send("DELETE", path, { "if-match": '"1"' })).status);
    expect((await studio.rows()).rows).toHaveLength(3);
  });
});

test("a studio that reads refuses to write, and says how to", async () => {
  const data = await filledDirectory(1);
  const before = await snapshot(data);
  const studio = await readingStudio(data);
  const { etag } = await valueIn(studio, "key-00000");
  for (const answer of [
    await studio.send("PUT", pathOf("key-00000"), { "if-match": etag }, "x"),
    await studio.send("PUT", pathOf("key-00000"), { "if-match": etag }, Buffer.alloc(100_000)),
    await studio.send("DELETE", pathOf("key-00000"), { "if-match": etag }),
  ]) {
    expect(answer.status).toBe(403);
    expect(problemOf(answer)).toMatchObject({
      code: "KAYA_READ_ONLY",
      message: expect.stringContaining("studio --write"),
    });
  }
  expect(await snapshot(data)).toEqual(before);
});
