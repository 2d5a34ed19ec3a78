import { SimDisk } from "@kaya/io";
import * as v from "valibot";
import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  type Codec,
  Engine,
  type JsonValue,
  json,
  msgpack,
  type Tuple,
  tuple,
  type View,
} from "../../src/index.js";

interface User {
  readonly name: string;
  readonly age?: number;
}

const db = await Engine.open({}, new SimDisk());

type Key<T> = T extends { get(key: infer K): unknown } ? K : never;
type Value<T> = T extends { get(key: never): Promise<infer V> } ? Exclude<V, undefined> : never;
type Input<T> = T extends { put(key: never, value: infer I): unknown } ? I : never;
type Prefix<T> = T extends { count(range?: { readonly prefix?: infer P }): unknown }
  ? Exclude<P, undefined>
  : never;

// They are checked when the tests are compiled.
describe("the types of a view", () => {
  it("come from the names of its codecs", async () => {
    const view = db.view({ prefix: "a", key: "utf8", value: "json" });
    expectTypeOf<Key<typeof view>>().toEqualTypeOf<string>();
    expectTypeOf<Value<typeof view>>().toEqualTypeOf<JsonValue>();
    expectTypeOf(await view.get("a")).toEqualTypeOf<JsonValue | undefined>();
    expectTypeOf(await view.getMany(["a"])).toEqualTypeOf<(JsonValue | undefined)[]>();
    const texts = db.view({ key: "bytes", value: "utf8" });
    expectTypeOf<Key<typeof texts>>().toEqualTypeOf<Uint8Array>();
    expectTypeOf<Value<typeof texts>>().toEqualTypeOf<string>();
    const tuples = db.view({ key: "tuple", value: "bytes" });
    expectTypeOf<Key<typeof tuples>>().toEqualTypeOf<Tuple>();
    expectTypeOf<Value<typeof tuples>>().toEqualTypeOf<Uint8Array>();
    const packed = db.view({ key: "utf8", value: "msgpack" });
    expectTypeOf<Value<typeof packed>>().toEqualTypeOf<unknown>();
  });

  it("come from the types of its codecs", async () => {
    const users = db.view({ key: tuple<[tenant: string, id: number]>(), value: json<User>() });
    expectTypeOf<Key<typeof users>>().toEqualTypeOf<readonly [tenant: string, id: number]>();
    expectTypeOf<Input<typeof users>>().toEqualTypeOf<User>();
    expectTypeOf<Value<typeof users>>().toEqualTypeOf<User>();
    expectTypeOf<Prefix<typeof users>>().toEqualTypeOf<readonly [tenant?: string, id?: number]>();
    await users.put(["a", 1], { name: "Ada" });
    await users.count({ prefix: ["a"], gte: ["a", 1], lt: [] });
    const none = () => {
      // @ts-expect-error a value of another type
      void users.put(["a", 1], { nam: "Ada" });
      // @ts-expect-error a key of another type
      void users.get(["a", "1"]);
      // @ts-expect-error a prefix of another type
      void users.count({ prefix: [1] });
      // @ts-expect-error undefined is what an absent key has
      void db.view({ key: "utf8", value: "json" }).put("a", undefined);
      // @ts-expect-error no such codec
      db.view({ key: "utf8", value: "xml" });
    };
    expectTypeOf(none).toBeFunction();
  });

  it("say what JSON makes of a value", async () => {
    const view = db.view({
      key: "utf8",
      value: json<{ at: Date; n?: number; f: () => void; list: Date[] }>(),
    });
    expectTypeOf<Value<typeof view>>().toEqualTypeOf<{ at: string; n?: number; list: string[] }>();
    await view.put("a", { at: new Date(0), f: () => undefined, list: [new Date(1)] });
    expect(await view.get("a")).toStrictEqual({
      at: "1970-01-01T00:00:00.000Z",
      list: ["1970-01-01T00:00:00.001Z"],
    });
    const dates = db.view({ key: "utf8", value: msgpack<{ at: Date }>() });
    expectTypeOf<Value<typeof dates>>().toEqualTypeOf<{ at: Date }>();
  });

  it("come from a codec of one's own, which has no prefixes", () => {
    const day: Codec<Date> = { name: "day", encode: () => new Uint8Array(), decode: () => new Date() };
    const days = db.view({
      key: day,
      value: { name: "n", encode: (n: number) => new Uint8Array(n), decode: () => "text" },
    });
    expectTypeOf(days).toEqualTypeOf<View<Date, string, number, never>>();
    expectTypeOf<Prefix<typeof days>>().toBeNever();
  });

  it("come from a schema: what it takes is written, what it gives is read", () => {
    const schema = z.object({ name: z.string(), visits: z.number().default(0), at: z.coerce.date<Date>() });
    const packed = db.view({ key: "utf8", value: "msgpack", schema });
    expectTypeOf<Input<typeof packed>>().toEqualTypeOf<{
      name: string;
      visits?: number | undefined;
      at: Date;
    }>();
    expectTypeOf<Value<typeof packed>>().toEqualTypeOf<{ name: string; visits: number; at: Date }>();
    const texts = db.view({ key: "utf8", value: "json", schema });
    expectTypeOf<Value<typeof texts>>().toEqualTypeOf<{ name: string; visits: number; at: string }>();
    const modes = db.view({ key: "utf8", value: "utf8", schema: v.picklist(["on", "off"]) });
    expectTypeOf<Value<typeof modes>>().toEqualTypeOf<"on" | "off">();
  });

  it("are those of entries, operations and parts", async () => {
    const view = db.view({ prefix: "e", key: tuple<[string, number]>(), value: json<User>() });
    const entry = await view.getEntry(["a", 1]);
    expectTypeOf(entry.key).toEqualTypeOf<readonly [string, number]>();
    expectTypeOf(entry.value).toEqualTypeOf<User | undefined>();
    const part = view.view({ prefix: ["a"], key: "tuple", value: "utf8" });
    expectTypeOf(await part.get([1])).toEqualTypeOf<string | undefined>();
    const users: View<readonly [string, number], User> | undefined = undefined;
    expectTypeOf(users).toEqualTypeOf<undefined>();
    expect(db.state).toBe("open");
  });
});
