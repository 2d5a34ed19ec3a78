import { Engine, type Scan } from "@kaya/engine";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { RowPage, StoreInfo, TreeLevel } from "../src/studio/api.js";
import { Reading } from "../src/studio/reading.js";
import { absentDirectory, filledDirectory, kayactl, snapshot } from "./helpers.js";
import { askOpen, b64, indexedDirectory, readingStudio, text } from "./studio.js";

type Key = string | Uint8Array;

/** A directory with these entries, some of them in tables. */
async function directoryOf(
  entries: readonly (readonly [key: Key, value: Key, expiresAt?: number])[],
): Promise<string> {
  const data = await absentDirectory();
  const engine = await Engine.open({ dataDir: data, durability: "relaxed" });
  for (const [index, [key, value, expiresAt]] of entries.entries()) {
    await engine.put(key, value, expiresAt === undefined ? {} : { expiresAt });
    if (index === entries.length >> 1) await engine.flush();
  }
  await engine.close();
  return data;
}

const HOSTILE: readonly Buffer[] = [
  Buffer.alloc(0),
  Buffer.from([0]),
  Buffer.from("\n\r\t\u001b[31m"),
  Buffer.from("\"'`\\"),
  Buffer.from("<script>alert(1)</script>"),
  Buffer.from("a?b=c&d#e%00/../x"),
  Buffer.from("x".repeat(4096)),
  Buffer.from("ключ 鍵 🔑 e\u0301 \u202egnp"),
  Buffer.from([0xc3, 0x28]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xff]),
  Buffer.alloc(100, 0xff),
];

test("the store says where it is, who has it open, and what recovery doubted", async () => {
  const data = await filledDirectory(1);
  const studio = await readingStudio(data);
  expect(await studio.json<StoreInfo>("/api/store")).toStrictEqual({
    dataDir: data,
    mode: "reader",
    version: expect.stringMatching(/^\d/),
    warnings: [],
  });
  const engine = await Engine.open({ dataDir: data });
  expect(await studio.json("/api/store")).toMatchObject({ mode: "reader", writerPid: process.pid });
  await engine.close();
});

test("looking changes nothing", async () => {
  const data = await filledDirectory(100);
  const before = await snapshot(data);
  const studio = await readingStudio(data);
  await studio.rows();
  await studio.tree();
  const stream = await askOpen(studio.port, studio.at("/api/events"), { headers: { cookie: studio.cookie } });
  stream.destroy();
  await studio.close();
  expect(await snapshot(data)).toEqual(before);
});

describe("the tree", () => {
  test("has a group for each beginning up to the next delimiter, and the other keys", async () => {
    const keys = ["a", "a:", "a:1", "a:1:x", "a:2", "b:1", "c", "d/e", ":", ":x", ""];
    const { tree } = await readingStudio(await directoryOf(keys.map((key) => [key, "1"])));
    expect(await tree()).toEqual(["", ":", "a", "a:", "b:", "c", "d/e"]);
    expect(await tree({ prefix: b64("a:") })).toEqual(["a:", "a:1", "a:1:", "a:2"]);
    expect(await tree({ prefix: b64("a:1:") })).toEqual(["a:1:x"]);
    expect(await tree({ prefix: b64("a") })).toEqual(["a", "a:"]);
    expect(await tree({ prefix: b64("zzz") })).toEqual([]);
    expect(await tree({ delimiter: b64("/") })).toContain("d/");
  });

  test("says of each node whether it is a group", async () => {
    const studio = await readingStudio(
      await directoryOf([
        ["a", "1"],
        ["a:1", "1"],
      ]),
    );
    expect(await studio.json("/api/tree?delimiter=Og")).toEqual({
      nodes: [
        { kind: "key", key: b64("a") },
        { kind: "group", prefix: b64("a:") },
      ],
    });
    expect(await studio.json("/api/tree")).toMatchObject({ nodes: [{ kind: "key" }, { kind: "key" }] });
  });

  test("comes in pages that leave nothing out and give nothing twice, whatever their size", async () => {
    const keys = Array.from({ length: 40 }, (_, i) => `${i % 13}${i % 3 === 0 ? ":" : ""}${i}`);
    const studio = await readingStudio(
      await directoryOf([
        ...keys.map((key) => [key, "1"] as const),
        ...HOSTILE.map((key) => [key, "1"] as const),
      ]),
    );
    const whole = await studio.json<TreeLevel>("/api/tree?delimiter=Og&limit=1000");
    expect(whole.next).toBeUndefined();
    for (const limit of [1, 2, 7]) {
      const nodes: TreeLevel["nodes"][number][] = [];
      let level: TreeLevel | undefined;
      do {
        const after = level?.next === undefined ? "" : `&after=${level.next}`;
        level = await studio.json<TreeLevel>(`/api/tree?delimiter=Og&limit=${limit}${after}`);
        expect(level.nodes.length).toBeLessThanOrEqual(limit);
        nodes.push(...level.nodes);
      } while (level.next !== undefined);
      expect(nodes).toEqual(whole.nodes);
    }
  });

  test("of bytes that end in 0xff, also as the delimiter, ends", async () => {
    const keys = [[0xff], [0xff, 0xff], [0xff, 0xff, 1], [1, 0xff, 2], [1, 0xff, 3]].map((bytes) =>
      Buffer.from(bytes),
    );
    const studio = await readingStudio(await directoryOf(keys.map((key) => [key, "1"])));
    const { nodes } = await studio.json<TreeLevel>(`/api/tree?delimiter=${b64(Buffer.from([0xff]))}`);
    expect(nodes).toEqual([
      { kind: "group", prefix: b64(Buffer.from([1, 0xff])) },
      { kind: "group", prefix: b64(Buffer.from([0xff])) },
    ]);
  });

  test("seeks: groups of many keys are not read", async () => {
    const data = await absentDirectory();
    const engine = await Engine.open({ dataDir: data, durability: "relaxed" });
    const value = Buffer.alloc(1000, "v");
    for (const group of ["a", "b", "c"]) {
      const keys = Array.from({ length: 5000 }, (_, i) => `${group}:${i}`);
      await engine.batch(keys.map((key) => ({ type: "put", key, value })));
    }
    await engine.flush();
    await engine.close();
    const studio = await readingStudio(data);
    const misses = async () => (await studio.store.look()).cache.misses;
    const before = await misses();
    expect(await studio.tree()).toEqual(["a:", "b:", "c:"]);
    // Each group has hundreds of blocks.
    expect((await misses()) - before).toBeLessThan(20);
  });
});

describe("rows", () => {
  test("come in the order of their bytes, with the beginning of each value, whatever the keys are", async () => {
    const entries = HOSTILE.map((key, i) => [key, Buffer.alloc(i * 50, i)] as const);
    const { rows } = await readingStudio(await directoryOf(entries));
    const page = await rows();
    expect(page.next).toBeUndefined();
    expect(page.rows).toEqual(
      [...entries]
        .sort(([a], [b]) => Buffer.compare(a, b))
        .map(([key, value]) => ({ key: b64(key), length: value.length, head: b64(value.subarray(0, 256)) })),
    );
  });

  test("say when they expire, and are gone once they have", async () => {
    const expiresAt = Date.now() + 3_600_000;
    const data = await directoryOf([
      ["later", "1", expiresAt],
      ["past", "1", 1000],
      ["stays", "1"],
    ]);
    const { rows } = await readingStudio(data);
    const { rows: found } = await rows();
    expect(found.map(({ key, expiresAt: at }) => [text(key), at])).toEqual([
      ["later", expiresAt],
      ["stays", undefined],
    ]);
  });

  test.each([
    [{ prefix: b64("key-0000") }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    [{ gt: b64("key-00003"), lte: b64("key-00006") }, [4, 5, 6]],
    [{ gte: b64("key-00003"), lt: b64("key-00006") }, [3, 4, 5]],
    [{ prefix: b64("key-0000"), gte: b64("key-00008") }, [8, 9]],
    [{ gte: b64("key-00008"), gt: b64("key-00009"), lt: b64("key-00011") }, [10]],
    [{ gt: b64("x") }, []],
    [{ gt: b64("key-00006"), lt: b64("key-00003") }, []],
    [{ prefix: b64("key-0000"), reverse: "1", limit: "3" }, [9, 8, 7]],
  ])("of the range %j are those within all of its bounds", async (parameters, expected) => {
    const { rows } = await readingStudio(await filledDirectory(30));
    const { rows: found } = await rows(parameters);
    expect(found.map(({ key }) => Number(text(key).slice(4)))).toEqual(expected);
  });

  test.each(["", "&reverse=1"])(
    "come in pages that leave nothing out and give nothing twice%s",
    async (reverse) => {
      const studio = await readingStudio(await filledDirectory(25));
      const bounds = `gt=${b64("key-00001")}&lte=${b64("key-00021")}${reverse}`;
      const whole = await studio.json<RowPage>(`/api/rows?${bounds}`);
      expect(whole.rows).toHaveLength(20);
      const rows: RowPage["rows"][number][] = [];
      let page: RowPage | undefined;
      for (let pages = 0; pages === 0 || page?.next !== undefined; pages++) {
        const cursor: string = page?.next === undefined ? "" : `&cursor=${page.next}`;
        page = await studio.json<RowPage>(`/api/rows?${bounds}&limit=5${cursor}`);
        rows.push(...page.rows);
        expect(pages).toBeLessThan(4);
      }
      expect(rows).toEqual(whole.rows);
    },
  );

  test("a cursor leads nowhere outside of the range", async () => {
    const { rows } = await readingStudio(await filledDirectory(25));
    const range = { gte: b64("key-00010"), lt: b64("key-00012") };
    const keysBehind = async (parameters: Record<string, string>) =>
      (await rows({ ...range, ...parameters })).rows.map(({ key }) => text(key));
    expect(await keysBehind({ cursor: b64("a") })).toEqual(["key-00010", "key-00011"]);
    expect(await keysBehind({ cursor: b64("z") })).toEqual([]);
    expect(await keysBehind({ cursor: b64("z"), reverse: "1" })).toEqual(["key-00011", "key-00010"]);
    expect(await keysBehind({ cursor: "", gt: b64("key-00010") })).toEqual(["key-00011"]);
  });

  test("of large values are few to a page", async () => {
    const value = Buffer.alloc(15 * 1024 * 1024);
    const entries = Array.from({ length: 7 }, (_, i) => [`${i}`, value] as const);
    const { rows } = await readingStudio(await directoryOf(entries));
    const first = await rows();
    expect(first.rows.map(({ key, length }) => [text(key), length])).toEqual(
      [0, 1, 2, 3, 4].map((i) => [`${i}`, value.length]),
    );
    const second = await rows({ cursor: first.next ?? "" });
    expect(second.rows.map(({ key }) => text(key))).toEqual(["5", "6"]);
    expect(second.next).toBeUndefined();
  });
});

describe("a value", () => {
  test("comes whole, with what a write can be held to", async () => {
    const expiresAt = Date.now() + 3_600_000;
    const studio = await readingStudio(
      await directoryOf([
        ["a", "<b>\u0000", expiresAt],
        ["b", ""],
      ]),
    );
    const { status, headers, body } = await studio.get(`/api/value?key=${b64("a")}`);
    expect(status).toBe(200);
    expect(body.toString()).toBe("<b>\u0000");
    expect(headers).toMatchObject({
      "content-type": "application/octet-stream",
      etag: '"1"',
      "kaya-length": "4",
      "kaya-expires-at": String(expiresAt),
    });
    expect(headers["content-disposition"]).toBeUndefined();
    const empty = await studio.get(`/api/value?key=${b64("b")}`);
    expect(empty).toMatchObject({ status: 200, headers: { "kaya-length": "0" } });
    expect(empty.headers["kaya-expires-at"]).toBeUndefined();
  });

  test("of every key comes back, and is a download with a harmless name", async () => {
    const studio = await readingStudio(await directoryOf(HOSTILE.map((key, i) => [key, `${i}`])));
    for (const [i, key] of HOSTILE.entries()) {
      const { status, headers, body } = await studio.get(`/api/value?key=${b64(key)}&download=1`);
      expect(status).toBe(200);
      expect(body.toString()).toBe(`${i}`);
      expect(headers["content-disposition"]).toMatch(/^attachment; filename="[A-Za-z0-9_-][A-Za-z0-9_.-]*"$/);
    }
  });

  test("that is not there is told with its key", async () => {
    const studio = await readingStudio(await filledDirectory(1));
    for (const [key, named] of [
      ["none", "none"],
      [Buffer.from([0xff, 0]), "hex:ff00"],
      ["<i>\n", "<i>\\n"],
    ] as const) {
      const { status, body } = await studio.get(`/api/value?key=${b64(key)}`);
      expect(status).toBe(404);
      expect(JSON.parse(body.toString())).toEqual({
        code: "NOT_FOUND",
        message: `there is no value under the key ${named}`,
      });
    }
  });

  test("of 16 MiB comes in ranges", async () => {
    const value = Buffer.alloc(16 * 1024 * 1024);
    for (let i = 0; i < value.length; i += 4) value.writeUInt32LE(i, i);
    const studio = await readingStudio(await directoryOf([["big", value]]));
    const path = `/api/value?key=${b64("big")}`;
    expect((await studio.get(path)).body.equals(value)).toBe(true);
    for (const [offset, length] of [
      [0, 1],
      [1, 65_536],
      [8_000_001, 1_000_000],
      [value.length - 3, 100],
      [value.length, 1],
      [5, 0],
      [2 ** 40, 9],
    ] as const) {
      const { status, headers, body } = await studio.get(`${path}&offset=${offset}&length=${length}`);
      expect(status).toBe(200);
      expect(headers["kaya-length"]).toBe(`${value.length}`);
      expect(body.equals(value.subarray(offset, offset + length))).toBe(true);
    }
    expect((await studio.get(`${path}&offset=16777215`)).body).toHaveLength(1);
  });
});

describe("keys of Kaya's own", () => {
  async function indexed(): Promise<string> {
    const data = await indexedDirectory();
    const engine = await Engine.open({ dataDir: data });
    await engine.put(Buffer.from([0xff]), "before");
    await engine.put(Buffer.from([0xff, 0xff]), "behind");
    await engine.close();
    return data;
  }
  const reserved = (key: string) => Buffer.from(key, "base64url").toString("latin1").startsWith("\xffkaya\0");

  test("are shown only where they are asked for", async () => {
    const studio = await readingStudio(await indexed());
    const keysIn = async (path: string) => {
      const { rows } = await studio.json<RowPage>(path);
      return rows.map(({ key }) => key);
    };
    const plain = ["user:1", "\xff", "\xff\xff"].map((key) => b64(Buffer.from(key, "latin1")));
    expect(await keysIn("/api/rows")).toEqual(plain);
    expect(await keysIn("/api/rows?reverse=1")).toEqual(plain.toReversed());
    expect(await keysIn(`/api/rows?prefix=${b64(Buffer.from("\xffkaya\0d", "latin1"))}`)).toEqual([]);
    const all = await keysIn("/api/rows?internal=1");
    expect(all.filter(reserved)).toHaveLength(2);
    expect(all).toHaveLength(5);
    const { nodes } = await studio.json<TreeLevel>("/api/tree");
    expect(nodes.map((node) => (node.kind === "key" ? node.key : ""))).toEqual(plain);
    const { nodes: allNodes } = await studio.json<TreeLevel>("/api/tree?internal=1");
    expect(allNodes).toHaveLength(5);
    const exported = (await studio.get("/api/export")).body.toString().trim().split("\n");
    expect(exported).toHaveLength(3);
    expect((await studio.get("/api/export?internal=1")).body.toString().trim().split("\n")).toHaveLength(5);
    const [own = ""] = all.filter(reserved);
    expect((await studio.get(`/api/value?key=${own}`)).status).toBe(403);
    expect((await studio.get(`/api/value?key=${own}&internal=1`)).status).toBe(200);
  });
});

describe("an export", () => {
  test("is the items of kayactl scan --json, a line each", async () => {
    const data = await directoryOf(HOSTILE.map((key, i) => [key, HOSTILE[HOSTILE.length - 1 - i] ?? ""]));
    const studio = await readingStudio(data);
    const { status, headers, body } = await studio.get("/api/export?format=jsonl");
    expect(status).toBe(200);
    expect(headers["content-disposition"]).toBe('attachment; filename="data.jsonl"');
    const lines = body.toString().trimEnd().split("\n");
    const { stdout } = await kayactl(["scan", "--json", "--data", data]);
    expect(`{"items":[${lines.join(",")}]}\n`).toBe(stdout);
  });

  test("says when values expire", async () => {
    const expiresAt = Date.now() + 3_600_000;
    const { get } = await readingStudio(await directoryOf([["a", "1", expiresAt]]));
    expect(JSON.parse((await get("/api/export")).body.toString())).toEqual({
      key: "a",
      value: "1",
      expiresAt,
    });
  });

  test("is of the range that was asked for, in its direction", async () => {
    const { get } = await readingStudio(await filledDirectory(2000));
    const { body } = await get(`/api/export?gt=${b64("key-00010")}&lte=${b64("key-01990")}&reverse=1`);
    const keys = body
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { key: string }).key);
    expect(keys).toHaveLength(1980);
    expect([keys[0], keys.at(-1)]).toEqual(["key-01990", "key-00011"]);
    expect((await get(`/api/export?prefix=${b64("none")}`)).body).toHaveLength(0);
  });

  test("is made no faster than it is taken, and given up with its page", async () => {
    const data = await directoryOf(
      Array.from({ length: 64 }, (_, i) => [`${i}`, Buffer.alloc(1024 * 1024, "x")]),
    );
    const studio = await readingStudio(data);
    let scanned = 0;
    const { scan } = Reading.prototype;
    const spy = vi.spyOn(Reading.prototype, "scan").mockImplementation(function (this: Reading, range) {
      const entries = scan.call(this, range);
      const counted = async function* () {
        for await (const entry of entries) {
          scanned++;
          yield entry;
        }
      };
      return { [Symbol.asyncIterator]: counted } as unknown as Scan;
    });
    onTestFinished(() => spy.mockRestore());
    const response = await askOpen(studio.port, studio.at("/api/export"), {
      headers: { cookie: studio.cookie },
    });
    // What the export reads ahead is read by then, or soon.
    for (let i = 0; i < 5; i++) await studio.get("/api/store");
    expect(scanned).toBeGreaterThan(0);
    expect(scanned).toBeLessThan(40); // of 64: the rest waits
    response.destroy();
    await studio.close(); // does not wait for it
  });
});
