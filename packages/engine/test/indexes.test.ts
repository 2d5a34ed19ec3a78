import { SimDisk } from "@kaya/io";
import { afterEach, describe, expect, expectTypeOf, it } from "vitest";
import { Engine, type IndexRow, json, type ManyIndex, tuple, type UniqueIndex } from "../src/index.js";
import { latin1, rejection } from "./support/text.js";

interface User {
  name: string;
  email?: string;
  tags?: string[];
  city?: string;
  age?: number;
}

const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

async function open(disk = new SimDisk()): Promise<Engine> {
  const engine = await Engine.open({ durability: "relaxed" }, disk);
  engines.push(engine);
  return engine;
}

const usersOf = (engine: Engine) =>
  engine.view({
    prefix: "users:",
    key: "utf8",
    value: json<User>(),
    indexes: {
      byEmail: { of: (user) => user.email, unique: true },
      byTag: { each: (user) => user.tags ?? [] },
      byCity: {
        of: (user, id) => (user.city === undefined ? undefined : ([user.city, user.age ?? 0, id] as const)),
        key: tuple<[city: string, age: number, id: string]>(),
      },
    },
  });

/** All entries of all indexes, as text. */
async function entriesOf(engine: Engine): Promise<string[]> {
  const entries: string[] = [];
  for await (const { key, value } of engine.scan({
    prefix: new Uint8Array([0xff, 0x6b, 0x61, 0x79, 0x61, 0, 0x69]),
  }))
    entries.push(`${latin1(key).slice(10)}=${latin1(value)}`);
  return entries;
}

async function listOf<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const row of rows) list.push(row);
  return list;
}

const keysOf = async (rows: AsyncIterable<{ key: string }>) => (await listOf(rows)).map(({ key }) => key);

describe("an index of a view", () => {
  it("has the types that it is declared with", async () => {
    const users = usersOf(await open());
    expectTypeOf(users.index("byEmail")).toEqualTypeOf<UniqueIndex<string, User, string, string>>();
    expectTypeOf(users.index("byTag")).toEqualTypeOf<ManyIndex<string, User, string, string>>();
    expectTypeOf(users.index("byCity").get)
      .parameter(0)
      .toEqualTypeOf<Readonly<[city: string, age: number, id: string]>>();
    expectTypeOf(users.index("byTag").get).returns.resolves.toEqualTypeOf<IndexRow<string, User, string>[]>();
    // @ts-expect-error there is none
    expect(() => users.index("byNothing")).toThrow(
      expect.objectContaining({ code: "KAYA_INVALID_ARGUMENT" }),
    );
  });

  it("finds the rows that its function names, through all that changes them", async () => {
    const engine = await open();
    const users = usersOf(engine);
    await users.put("1", { name: "Ada", email: "ada@x", tags: ["a", "b"], city: "London", age: 36 });
    await users.put("2", { name: "Grace", email: "grace@x", tags: ["b", "b"], city: "New York", age: 85 });
    await users.put("3", { name: "Nobody" });
    const byEmail = users.index("byEmail");
    expect(await byEmail.get("ada@x")).toEqual({
      key: "1",
      value: { name: "Ada", email: "ada@x", tags: ["a", "b"], city: "London", age: 36 },
      indexKey: "ada@x",
    });
    expect(await byEmail.get("nobody@x")).toBeUndefined();
    expect((await users.index("byTag").get("b")).map(({ key }) => key)).toEqual(["1", "2"]);
    await users.put("1", { name: "Ada", email: "countess@x", tags: ["c"] });
    expect(await byEmail.get("ada@x")).toBeUndefined();
    expect((await byEmail.get("countess@x"))?.key).toBe("1");
    expect((await users.index("byTag").get("b")).map(({ key }) => key)).toEqual(["2"]);
    await users.delete("2");
    expect(await entriesOf(engine)).toEqual(
      ["\x01countess@x\0\0=1", "\x02c\0\0" + "1="].map(() => expect.any(String)),
    );
    expect(await users.index("byTag").count()).toBe(1);
    await users.clear();
    expect(await entriesOf(engine)).toEqual([]);
  });

  it("reads ranges of its keys", async () => {
    const users = usersOf(await open());
    for (const [id, city, age] of [
      ["1", "Berlin", 30],
      ["2", "Berlin", 20],
      ["3", "Bern", 5],
      ["4", "Ulm", 1],
    ] as const)
      await users.put(id, { name: id, city, age });
    const byCity = users.index("byCity");
    expect(await keysOf(byCity.scan())).toEqual(["2", "1", "3", "4"]);
    expect(await keysOf(byCity.scan({ prefix: ["Berlin"] }))).toEqual(["2", "1"]);
    expect(await keysOf(byCity.scan({ gte: ["Berlin", 25], lt: ["Ulm"], reverse: true }))).toEqual([
      "3",
      "1",
    ]);
    expect(await keysOf(byCity.scan({ limit: 1 }))).toEqual(["2"]);
    expect(await listOf(byCity.keys({ gt: ["Berlin", 20, "2"] }))).toEqual(["1", "3", "4"]);
    expect((await byCity.first())?.indexKey).toEqual(["Berlin", 20, "2"]);
    expect((await byCity.last({ lt: ["Ulm"] }))?.key).toBe("3");
    expect(await byCity.first({ prefix: ["Rome"] })).toBeUndefined();
    expect(await byCity.count({ prefix: ["Berlin"] })).toBe(2);
  });

  it("gives its rows one by one, in pages, and as an array, several times, and is checked when it is asked", async () => {
    const users = usersOf(await open());
    await users.batch(
      Array.from({ length: 300 }, (_, i) => ({
        type: "put",
        key: `${1000 + i}`,
        value: { name: "", tags: [`${i % 2}`] },
      })),
    );
    const byTag = users.index("byTag");
    const rows = byTag.scan({ prefix: "1", reverse: true });
    const all = await rows.toArray();
    expect(all.map(({ key }) => Number(key))).toEqual(Array.from({ length: 150 }, (_, i) => 1299 - 2 * i));
    expect(await listOf(rows)).toEqual(all);
    const pages = await listOf(rows.pages(140));
    expect(pages.map((page) => page.length)).toEqual([140, 10]);
    expect(pages.flat()).toEqual(all);
    expect(await listOf(byTag.keys({ prefix: "1", limit: 3 }).pages(2))).toEqual([
      ["1001", "1003"],
      ["1005"],
    ]);
    expect(await byTag.keys({ limit: 5 }).toArray({ limit: 2 })).toEqual(["1000", "1002"]);
    expect(await byTag.keys({ limit: 2 }).toArray({ limit: 5 })).toEqual(["1000", "1002"]);
    expect(await byTag.keys().toArray({ limit: 0 })).toEqual([]);
    const refused = expect.objectContaining({ code: "KAYA_INVALID_ARGUMENT" });
    expect(() => byTag.scan({ limit: -1 })).toThrow(refused);
    expect(() => byTag.keys({ gte: 1 as never })).toThrow(refused);
    expect(() => byTag.scan().pages(0)).toThrow(refused);
    await rejection("KAYA_INVALID_ARGUMENT", byTag.scan().toArray({ limit: -1 }));
  });
});

describe("a unique index", () => {
  it("refuses a second row with a key, and says which row has it", async () => {
    const engine = await open();
    const users = usersOf(engine);
    await users.put("1", { name: "Ada", email: "ada@x" });
    const error = await rejection("KAYA_NOT_UNIQUE", users.put("2", { name: "Eve", email: "ada@x" }));
    expect(error.message).toBe(
      'nothing was written: the row "users:2" has the key "ada@x" in the index "byEmail", which is unique, and the row "users:1" has it already. Give one of them another key.',
    );
    expect(latin1(error.key ?? new Uint8Array())).toBe("users:1");
    expect(await users.get("2")).toBeUndefined();
    await users.put("1", { name: "Ada", email: "ada@x" });
    await users.put("1", { name: "Ada", email: "ada@y" });
    await users.put("2", { name: "Eve", email: "ada@x" });
  });

  it("has one winner among writes that are called together, whichever is durable", async () => {
    const users = usersOf(await open());
    const writes = ["1", "2", "3"].map((id) => users.put(id, { name: id, email: "same@x" }));
    expect((await Promise.allSettled(writes)).map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "rejected",
    ]);
    expect(await users.count()).toBe(1);
  });
});
