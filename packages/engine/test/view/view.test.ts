import { runInNewContext } from "node:vm";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { type Codec, Engine, json, KayaError, KEEP, type TupleElement, tuple } from "../../src/index.js";
import { TestClock } from "../support/test-clock.js";
import { rejection, text } from "../support/text.js";

interface User {
  name: string;
  age: number;
}

const open = (disk = new SimDisk()) => Engine.open({}, disk);
const usersOf = (db: Engine) => db.view({ prefix: "user:", key: "utf8", value: json<User>() });

const ada = { name: "Ada", age: 36 };
const grace = { name: "Grace", age: 85 };

describe("a view", () => {
  it("writes and reads in its types, under its prefix", async () => {
    const db = await open();
    const users = usersOf(db);
    expect(await users.put("ada", ada)).toMatchObject({ lsn: 1, durable: true });
    users.putSync("grace", grace, { durability: "relaxed" });
    expect(await users.get("ada")).toStrictEqual(ada);
    expect(users.getSync("grace")).toStrictEqual(grace);
    expect(await users.get("nobody")).toBe(undefined);
    expect(await users.has("ada")).toBe(true);
    expect(await users.getMany(["grace", "nobody", "ada"])).toStrictEqual([grace, undefined, ada]);
    expect(text(await db.get("user:ada"))).toBe('{"name":"Ada","age":36}');
    await users.delete("ada");
    users.deleteSync("grace");
    expect(await db.count()).toBe(0);
    await db.close();
  });

  it("knows nothing of keys outside its prefix", async () => {
    const db = await open();
    const users = usersOf(db);
    await db.batch(["user", "user9", "user;", "v"].map((key) => ({ type: "put", key, value: "not JSON" })));
    await users.put("", ada);
    await users.put("z", grace);
    expect(await users.count()).toBe(2);
    await users.clear();
    expect(await users.count()).toBe(0);
    expect(await db.count()).toBe(4);
    await db.close();
  });

  it("without a prefix has all of the store", async () => {
    const db = await open();
    const all = db.view({ key: "bytes", value: "utf8" });
    await all.put(new Uint8Array([255, 255]), "x");
    await all.put(new Uint8Array(0), "empty");
    expect(await all.count()).toBe(2);
    expect(await all.get(new Uint8Array(0))).toBe("empty");
    await db.close();
  });

  it("has values that expire, and tells when", async () => {
    const db = await open();
    const users = usersOf(db);
    const expiresAt = Date.now() + 2 ** 40;
    await users.put("ada", ada, { expiresAt });
    users.putSync("grace", grace, { expiresAt: new Date(1) });
    await users.batch([
      { type: "put", key: "b", value: ada, expiresAt },
      { type: "put", key: "c", value: ada, expiresAt: 1 },
    ]);
    await db.batch([users.op.put("d", grace, { expiresAt }), users.op.put("e", grace, { ttlMs: 2 ** 40 })]);
    expect(await users.keys().toArray()).toEqual(["ada", "b", "d", "e"]);
    for (const key of ["ada", "b", "d"]) expect(await users.getEntry(key)).toMatchObject({ expiresAt });
    const told: unknown[] = [];
    for await (const { lsn, operations } of users.changes()) {
      for (const each of operations) if (each.type === "put") told.push([each.key, each.expiresAt]);
      if (lsn === 3) break;
    }
    expect(told).toEqual([
      ["ada", expiresAt],
      ["grace", 1],
      ["b", expiresAt],
      ["c", 1],
    ]);
    await db.close();
  });

  it("takes conditions in its types, and tells of a conflict", async () => {
    const db = await open();
    const users = usersOf(db);
    await users.put("ada", ada);
    const entry = await users.getEntry("ada");
    expect(entry).toStrictEqual({ key: "ada", value: ada, sequence: 1 });
    expect(users.getEntrySync("nobody")).toStrictEqual({
      key: "nobody",
      value: undefined,
      sequence: undefined,
    });
    const older = [{ type: "put", key: "ada", value: { ...ada, age: 37 } }] as const;
    await users.batch(older, { conditions: [entry, { key: "grace", sequence: undefined }] });
    const error = await rejection("KAYA_CONFLICT", users.batch(older, { conditions: [entry] }));
    expect(text(error.key)).toBe("user:ada");
    expect(() => users.batchSync(older, { conditions: [entry] })).toThrow("nothing was written");
    await db.close();
  });

  it("updates in its types", async () => {
    const db = await open();
    const visits = db.view({ prefix: "n:", key: "utf8", value: json<number>() });
    await Promise.all(Array.from({ length: 20 }, () => visits.update("a", (count = 0) => count + 1)));
    expect(await visits.get("a")).toBe(20);
    const doubled = await visits.update("a", async (count = 0) => count * 2);
    expect(doubled).toMatchObject({ value: 40, durable: true });
    expect((await visits.update("a", () => KEEP)).value).toBe(40);
    await rejection(
      "KAYA_INVALID_ARGUMENT",
      visits.update("a", () => 1n as unknown as number),
    );
    await rejection(
      "KAYA_INVALID_ARGUMENT",
      visits.update("a", async () => (() => 1) as unknown as number),
    );
    await rejection("KAYA_INVALID_ARGUMENT", visits.update("a", undefined as never));
    const thrown = new Error("no");
    const failing = () => {
      throw thrown;
    };
    await expect(visits.update("a", failing)).rejects.toBe(thrown);
    expect((await visits.update("a", () => undefined)).value).toBe(undefined);
    expect(await visits.has("a")).toBe(false);
    await db.close();
  });

  it("waits for what an update gives, where it is a promise of another realm or a thenable", async () => {
    const db = await open();
    const visits = db.view({ prefix: "n:", key: "utf8", value: json<number>() });
    const foreign = (value: number): Promise<number> => runInNewContext("(async () => value)()", { value });
    expect((await visits.update("a", () => foreign(2))).value).toBe(2);
    // biome-ignore lint/suspicious/noThenProperty: query builders are such things.
    const thenable = { then: (resolve: (value: number) => void) => resolve(3) };
    expect((await visits.update("a", () => thenable as Promise<number>)).value).toBe(3);
    expect(text(await db.get("n:a"))).toBe("3");
    await rejection(
      "KAYA_INVALID_ARGUMENT",
      visits.update("a", () => foreign(1n as unknown as number)),
    );
    await db.close();
  });

  it("goes into one batch with other views", async () => {
    const db = await open();
    const users = usersOf(db);
    const names = db.view({ prefix: "name:", key: "utf8", value: "utf8" });
    await users.put("old", grace);
    const absent = names.op.condition({ key: "Ada", sequence: undefined });
    const operations = [
      users.op.put("1", ada),
      names.op.put("Ada", "1"),
      users.op.delete("old"),
      users.op.clear({ gte: "2" }),
    ];
    await db.batch(operations, { conditions: [absent] });
    expect([await users.count(), await names.get("Ada")]).toStrictEqual([1, "1"]);
    await rejection("KAYA_CONFLICT", db.batch(operations, { conditions: [absent] }));
    await db.close();
  });

  it("reads of a snapshot", async () => {
    const db = await open();
    const users = usersOf(db);
    await users.put("ada", ada);
    const snapshot = db.snapshot();
    using own = users.snapshot();
    await users.clear();
    for (const past of [users.in(snapshot), own]) {
      expect(await past.get("ada")).toStrictEqual(ada);
      expect(await past.count()).toBe(1);
    }
    expect(await users.get("ada")).toBe(undefined);
    own.close();
    await rejection("KAYA_CLOSED", own.get("ada"));
    snapshot.close();
    await db.close();
  });

  it("has values that expire", async () => {
    const clock = new TestClock();
    const db = await Engine.open({}, new SimDisk(), { clock });
    const users = usersOf(db);
    const expiresAt = clock.time + 10;
    await users.put("a", ada, { ttlMs: 10 });
    users.putSync("b", ada, { expiresAt: new Date(expiresAt) });
    await users.batch([{ type: "put", key: "c", value: ada, ttlMs: 10 }]);
    await db.batch([users.op.put("d", ada, { expiresAt })]);
    await users.put("e", ada);
    for (const key of ["a", "b", "c", "d"]) expect((await users.getEntry(key)).expiresAt).toBe(expiresAt);
    const { value: change } = await users.changes().next();
    expect(change?.operations).toMatchObject([{ type: "put", key: "a", expiresAt }]);
    clock.pass(10);
    expect(await users.keys().toArray()).toStrictEqual(["e"]);
    expect(users.getSync("a")).toBe(undefined);
    await db.close();
  });

  it("reads and writes in a transaction", async () => {
    const db = await open();
    const users = usersOf(db);
    const ages = db.view({ prefix: "age:", key: tuple<[age: number, name: string]>(), value: "utf8" });
    await users.put("ada", ada);
    const found = await db.transact(async (tx) => {
      const [rows, index] = [users.in(tx), ages.in(tx)];
      const user = (await rows.get("ada")) ?? ada;
      rows.put("ada", { ...user, age: user.age + 1 });
      index.batch([{ type: "put", key: [user.age + 1, "ada"], value: "" }]);
      rows.put("grace", grace);
      rows.delete("grace");
      expect(await rows.get("ada")).toStrictEqual({ name: "Ada", age: 37 });
      expect(rows.getSync("grace")).toBe(undefined);
      return await index.keys({ prefix: [37] }).toArray();
    });
    expect(found).toStrictEqual([[37, "ada"]]);
    expect([await users.get("ada"), await ages.count()]).toStrictEqual([{ name: "Ada", age: 37 }, 1]);
    await db.transact((tx) => users.in(tx).put("grace", grace, { ttlMs: 3_600_000 }));
    expect((await users.getEntry("grace")).expiresAt).toBeGreaterThan(0);
    const refused = db.transact((tx) => users.in(tx).put("ada", (() => 1) as unknown as User));
    await rejection("KAYA_INVALID_ARGUMENT", refused);
    await db.transact((tx) => ages.in(tx).clear({ prefix: [37] }));
    await db.transact((tx) => users.in(tx).clear());
    expect(await db.count()).toBe(0);
    await db.close();
  });

  it("is of one engine, snapshot or transaction", async () => {
    const db = await open();
    const users = usersOf(db);
    expect(await users.in(db).count()).toBe(0);
    expect(() => users.in({} as Engine)).toThrow(
      "takes a transaction, a snapshot or an engine, not an object",
    );
    await db.close();
  });

  it("may be in a view", async () => {
    const db = await open();
    const events = db.view({
      prefix: "events:",
      key: tuple<[tenant: string, year: number, id: number]>(),
      value: "utf8",
    });
    await events.put(["acme", 2025, 1], "a");
    await events.put(["acme", 2026, 1], "b");
    const acme = events.view({ prefix: ["acme"], key: tuple<[year: number, id: number]>(), value: "utf8" });
    expect(await acme.get([2026, 1])).toBe("b");
    await acme.put([2026, 2], "c");
    expect(await events.get(["acme", 2026, 2])).toBe("c");
    const thisYear = acme.view({ prefix: [2026], key: "tuple", value: "utf8" });
    await events.put(["acme2", 2026, 1], "other");
    expect([await acme.count(), await thisYear.count()]).toStrictEqual([3, 2]);
    const inText = usersOf(db).view({ prefix: "a", key: "utf8", value: "json" });
    await inText.put("da", 1);
    expect(text(await db.get("user:ada"))).toBe("1");
    expect(await inText.view({ key: "utf8", value: "json" }).get("da")).toBe(1);
    await db.close();
  });

  it("has ranges in the types of its keys", async () => {
    const db = await open();
    const view = db.view({ prefix: "t", key: "tuple", value: "json" });
    const keys: TupleElement[][] = [
      ["user"],
      ["user", 1],
      ["user", 1, "a"],
      ["user", 2],
      ["user", 10],
      ["usera"],
    ];
    await view.batch(keys.map((key) => ({ type: "put", key, value: 1 })));
    expect(await view.count({ prefix: ["user"] })).toBe(5);
    expect(await view.count({ prefix: ["user", 1] })).toBe(2);
    expect(await view.count({ gt: ["user"], lt: ["user", 10] })).toBe(3);
    expect(await view.count({ gte: ["user", 1, "a"], limit: 2, reverse: true })).toBe(2);
    await view.clear({ prefix: ["user"], lte: ["user", 2] });
    expect(await view.count()).toBe(2);
    await view.batch([{ type: "clear", range: { prefix: ["user"] } }]);
    expect(await view.count()).toBe(1);
    await db.flush();
    expect(await view.approximateSize()).toBeGreaterThan(0);
    expect(await view.approximateSize({ gt: ["usera"] })).toBe(0);
    await db.close();
  });
});

describe("a codec of one's own", () => {
  const day: Codec<Date> = {
    name: "day",
    encode: (date) => Buffer.from(date.toISOString().slice(0, 10)),
    decode: (bytes) => new Date(text(bytes) ?? ""),
  };

  it("is two functions and a name", async () => {
    const db = await open();
    const days = db.view({ prefix: "d:", key: day, value: day });
    await days.put(new Date("2026-02-03T10:00:00Z"), new Date("2020-01-01"));
    expect(await days.get(new Date("2026-02-03"))).toStrictEqual(new Date("2020-01-01"));
    expect(await days.count({ gte: new Date("2026-01-01"), lt: new Date("2026-02-03") })).toBe(0);
    const error = await rejection("KAYA_INVALID_ARGUMENT", days.count({ prefix: new Date() as never }));
    expect(error.message).toContain("day");
    await db.close();
  });

  it("that throws, or gives no bytes, is told of before anything is written", async () => {
    const db = await open();
    const thrown = new Error("odd");
    const odd: Codec<number> = {
      name: "odd",
      encode(value) {
        if (value % 2 === 1) throw thrown;
        return "bytes" as unknown as Uint8Array;
      },
      decode: () => 0,
    };
    const view = db.view({ prefix: "odd:", key: "utf8", value: odd });
    const error = await rejection("KAYA_INVALID_ARGUMENT", view.put("a", 1));
    expect(error.message).toBe('the value for the key "odd:a" cannot be written as odd: odd');
    expect(error.cause).toBe(thrown);
    await rejection("KAYA_INVALID_ARGUMENT", view.put("a", 2));
    await rejection("KAYA_INVALID_ARGUMENT", db.view({ key: odd, value: odd }).get(2));
    expect(db.stats().lastLsn).toBe(0);
    await db.close();
  });
});

describe("what a view refuses", () => {
  it("are values that would not come back", async () => {
    const db = await open();
    const view = db.view({ prefix: "v:", key: "utf8", value: "json" });
    const refused: unknown[] = [undefined, () => 1, Symbol("a"), 1n, { toJSON: () => undefined }];
    const cycle: Record<string, unknown> = {};
    cycle.itself = cycle;
    for (const value of [...refused, cycle])
      await rejection("KAYA_INVALID_ARGUMENT", view.put("a", value as string));
    await rejection(
      "KAYA_INVALID_ARGUMENT",
      view.batch([{ type: "put", key: "a", value: undefined as unknown as string }]),
    );
    expect(() => view.putSync("a", undefined as unknown as string)).toThrow("delete the key, or put null");
    const words = db.view({ key: "utf8", value: "utf8" });
    await rejection("KAYA_INVALID_ARGUMENT", words.put("a", 5 as unknown as string));
    await rejection("KAYA_INVALID_ARGUMENT", words.put("a", "\ud800"));
    await rejection("KAYA_INVALID_ARGUMENT", words.put(new Uint8Array(1) as unknown as string, "a"));
    expect(db.stats().lastLsn).toBe(0);
    await db.close();
  });

  it("are options that it does not know", async () => {
    const db = await open();
    const make = (options: object) => () => db.view(options as { key: "utf8"; value: "utf8" });
    expect(make({ key: "utf8", value: "xml" })).toThrow('"json", "msgpack", "utf8", "bytes" or a codec');
    expect(make({ value: "json" })).toThrow("the key of a view");
    expect(make({ key: "utf8", value: "utf8", perfix: "a" })).toThrow(
      "unknown option perfix in the options of a view",
    );
    expect(make({ key: "utf8", value: "utf8", schema: {} })).toThrow("Standard Schema");
    expect(make({ key: { name: "x", encode: () => 1 }, value: "utf8" })).toThrow("encode and decode");
    expect(make({ key: "utf8", value: "utf8", prefix: 5 })).toThrow(
      "the prefix of a view must be a string or a Uint8Array, not 5",
    );
    const view = db.view({ prefix: "v", key: "utf8", value: "utf8" });
    await rejection("KAYA_INVALID_ARGUMENT", view.count({ from: "a" } as object));
    await rejection("KAYA_INVALID_ARGUMENT", view.batch([{ type: "remove" } as never]));
    await rejection("KAYA_INVALID_ARGUMENT", view.batch([{ type: "clear", range: { limit: 1 } as object }]));
    await rejection("KAYA_INVALID_ARGUMENT", view.put("a", "b", { conditions: [] } as object));
    await db.close();
  });
});

describe("what something else wrote", () => {
  it("is told with the key, the codec and the cause", async () => {
    const db = await open();
    const view = db.view({ prefix: "v:", key: "utf8", value: "json" });
    await db.put("v:a", "{");
    const error = await rejection("KAYA_DECODE_FAILED", view.get("a"));
    expect(error.message).toContain('the codec "json" cannot read the value of the key "v:a"');
    expect([text(error.key), error.cause instanceof SyntaxError]).toStrictEqual(["v:a", true]);
    expect(() => view.getSync("a")).toThrow(KayaError);
    for (const read of [view.getEntry("a"), view.getMany(["a"])]) await rejection("KAYA_DECODE_FAILED", read);
    await db.put("v:b", new Uint8Array([0x22, 0xff, 0x22]));
    await rejection("KAYA_DECODE_FAILED", view.get("b"));
    expect(await view.count()).toBe(2);
    await db.close();
  });
});
