import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { type Codec, Engine, json, type Tuple, tuple, type ViewKeyValue } from "../../src/index.js";
import { pagesOf, rejection, text } from "../support/text.js";

interface Score {
  points: number;
}

const KEYS: [string, number][] = [
  ["ada", 1],
  ["ada", 2],
  ["ada", 10],
  ["grace", 1],
];

async function scored() {
  const db = await Engine.open({}, new SimDisk());
  const scores = db.view({ prefix: "score:", key: tuple<[string, number]>(), value: json<Score>() });
  await db.batch(["score", "score9", "score;"].map((key) => ({ type: "put", key, value: "not JSON" })));
  await scores.batch(KEYS.map((key) => ({ type: "put", key, value: { points: key[1] * 10 } })));
  return { db, scores };
}

async function keysOf<K>(rows: AsyncIterable<ViewKeyValue<K, unknown>>): Promise<K[]> {
  const keys: K[] = [];
  for await (const { key } of rows) keys.push(key);
  return keys;
}

describe("a scan of a view", () => {
  it("gives its entries in its types, and in the order of its keys", async () => {
    const { db, scores } = await scored();
    expect(await keysOf(scores.scan())).toStrictEqual(KEYS);
    expect(await keysOf(scores.scan({ reverse: true, limit: 2 }))).toStrictEqual([KEYS[3], KEYS[2]]);
    expect(await keysOf(scores.scan({ prefix: ["ada"], gt: ["ada", 1] }))).toStrictEqual([KEYS[1], KEYS[2]]);
    for (const flush of [async () => undefined, () => db.flush()]) {
      await flush();
      expect(await scores.scan({ gte: ["ada", 10] }).toArray()).toStrictEqual([
        { key: ["ada", 10], value: { points: 100 } },
        { key: ["grace", 1], value: { points: 10 } },
      ]);
    }
    await db.close();
  });

  it("gives keys, values and entries, in pages, in arrays and without await", async () => {
    const { db, scores } = await scored();
    const ada = { prefix: ["ada"] } as const;
    expect(await scores.keys(ada).toArray({ limit: 2 })).toStrictEqual(KEYS.slice(0, 2));
    expect(await scores.values(ada).toArray()).toStrictEqual([
      { points: 10 },
      { points: 20 },
      { points: 100 },
    ]);
    expect(await pagesOf(scores.keys().pages(3))).toStrictEqual([KEYS.slice(0, 3), KEYS.slice(3)]);
    for await (const [[name, round], { points }] of scores.entries(ada))
      expect([name, points]).toStrictEqual(["ada", round * 10]);
    const seen: unknown[] = [];
    for (const { key, value } of scores.scanSync(ada)) seen.push(key, value);
    expect(seen).toHaveLength(6);
    expect([...scores.scanSync(ada).keys()]).toStrictEqual(KEYS.slice(0, 3));
    expect(scores.scanSync(ada).values().toArray({ limit: 1 })).toStrictEqual([{ points: 10 }]);
    expect([...scores.scanSync({ gt: ["ada", 10] }).entries()]).toStrictEqual([
      [["grace", 1], { points: 10 }],
    ]);
    await db.close();
  });

  it("finds the first and the last, and none in an empty range", async () => {
    const { db, scores } = await scored();
    expect(await scores.first()).toStrictEqual({ key: ["ada", 1], value: { points: 10 } });
    expect((await scores.last({ prefix: ["ada"] }))?.key).toStrictEqual(["ada", 10]);
    expect(await scores.first({ gt: ["grace", 1] })).toBe(undefined);
    expect(await scores.last({ prefix: ["eve"] })).toBe(undefined);
    await db.close();
  });

  it("goes on from page to page by a cursor", async () => {
    const { db, scores } = await scored();
    const first = await scores.page({ reverse: true }, { size: 3 });
    expect(first.entries.map(({ key }) => key)).toStrictEqual([KEYS[3], KEYS[2], KEYS[1]]);
    await scores.delete(["ada", 2]);
    const second = await scores.page({ reverse: true }, { size: 3, cursor: first.cursor });
    expect(second).toStrictEqual({
      entries: [{ key: ["ada", 1], value: { points: 10 } }],
      cursor: undefined,
    });
    await rejection(
      "KAYA_INVALID_ARGUMENT",
      scores.page({ prefix: ["ada"] }, { size: 3, cursor: first.cursor }),
    );
    await db.close();
  });

  it("is of the time of its call, also in a snapshot", async () => {
    const { db, scores } = await scored();
    const scan = scores.scan();
    using snapshot = scores.snapshot();
    await scores.clear();
    expect(await keysOf(scan)).toStrictEqual(KEYS);
    expect(await snapshot.keys().toArray()).toStrictEqual(KEYS);
    expect([...snapshot.scanSync({ limit: 1 }).keys()]).toStrictEqual([KEYS[0]]);
    expect(await scores.keys().toArray()).toStrictEqual([]);
    await db.close();
  });

  it("gives bytes that are the caller's, whatever is read after them", async () => {
    const db = await Engine.open({}, new SimDisk());
    const kept: Uint8Array[] = [];
    const keeping: Codec<Uint8Array> = {
      name: "keeping",
      encode: (value) => value,
      decode: (bytes) => {
        kept.push(bytes);
        return bytes;
      },
    };
    const nested = db.view({ prefix: "t", key: "tuple", value: "msgpack" });
    const written: Tuple[] = [];
    for (let i = 0; i < 300; i++) {
      const key = [new Uint8Array([2 + (i >> 7), 128 + (i & 127)]), i];
      written.push(key);
      await nested.put(key, { bytes: new Uint8Array(5).fill(i) }, { durability: "relaxed" });
    }
    await db.flush();
    const all = await nested.entries().toArray();
    expect(all.map(([key]) => key)).toStrictEqual(written);
    expect(all).toStrictEqual(written.map((key, i) => [key, { bytes: new Uint8Array(5).fill(i) }]));
    const own = await db.view({ key: keeping, value: keeping }).entries().toArray();
    const raw = await db.entries().toArray();
    expect(own).toStrictEqual(raw);
    expect(kept).toStrictEqual(raw.flat());
    for (const bytes of kept) bytes.fill(0);
    expect(await db.entries().toArray()).toStrictEqual(raw);
    await db.close();
  });

  it("says at which key it cannot go on, and lets go of what it pins", async () => {
    const { db, scores } = await scored();
    await db.put(scores.op.delete(["ada", 5]).key, "{");
    const readings = [
      () => scores.scan().toArray(),
      () => keysOf(scores.scan()),
      () => pagesOf(scores.values().pages(2)),
      () => scores.page({}, { size: 3 }),
      () => scores.last({ lt: ["ada", 6] }),
      async () => [...scores.scanSync()],
    ];
    for (const read of readings) {
      const error = await rejection("KAYA_DECODE_FAILED", read());
      expect(error.key).toStrictEqual(Uint8Array.from(scores.op.delete(["ada", 5]).key as Uint8Array));
    }
    expect(await scores.keys().toArray()).toHaveLength(5); // keys alone are read
    await db.put("score:no tuple", "1");
    for (const flush of [async () => undefined, () => db.flush()]) {
      await flush();
      const { key, message } = await rejection("KAYA_DECODE_FAILED", scores.keys().toArray());
      expect(text(key)).toBe("score:no tuple");
      key?.fill(0);
      expect(await db.has("score:no tuple")).toBe(true);
      expect(message).toContain("cannot read the key");
    }
    expect(db.stats().memtable.snapshots.open).toBe(0);
    await db.close();
  });
});
