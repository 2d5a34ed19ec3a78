import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { Engine, json, tuple } from "../../src/index.js";
import { rejection, text } from "../support/text.js";

const open = () => Engine.open({}, new SimDisk());
const viewOf = (db: Engine) =>
  db.view({ prefix: "v:", key: tuple<[string, number]>(), value: json<string>() });

describe("watching a view", () => {
  it("gives the entries of a key in its types, which serve as conditions", async () => {
    const db = await open();
    const view = viewOf(db);
    await using watch = view.watch(["a", 1]);
    expect((await watch.next()).value).toStrictEqual({
      key: ["a", 1],
      value: undefined,
      sequence: undefined,
    });
    await view.put(["a", 1], "x");
    const { value: entry } = await watch.next();
    expect(entry).toStrictEqual({ key: ["a", 1], value: "x", sequence: 1 });
    await view.batch([{ type: "put", key: ["a", 1], value: "y" }], { conditions: entry ? [entry] : [] });
    expect((await watch.next()).value).toMatchObject({ value: "y" });
    await db.close();
  });

  it("gives the changes of a range in its types", async () => {
    const db = await open();
    const view = viewOf(db);
    await view.put(["a", 1], "x");
    await view.put(["b", 1], "other");
    await using watch = view.watchRange({ prefix: ["a"] });
    expect((await watch.next()).value).toStrictEqual({ type: "put", key: ["a", 1], value: "x", sequence: 1 });
    await db.put("v", "other");
    await view.delete(["a", 1]);
    expect((await watch.next()).value).toStrictEqual({ type: "delete", key: ["a", 1], sequence: 4 });
    await db.clear();
    const { value: clear } = await watch.next();
    expect(
      clear?.type === "deleteRange" && [clear.includes(["a", 5]), clear.includes(["b", 1])],
    ).toStrictEqual([true, false]);
    await db.close();
  });

  it("ends with the loop and with a signal", async () => {
    const db = await open();
    const view = viewOf(db);
    for await (const { value } of view.watch(["a", 1])) {
      expect(value).toBe(undefined);
      break;
    }
    const signal = AbortSignal.abort("enough");
    await expect((async () => view.watchRange({}, { signal }).next())()).rejects.toBe("enough");
    const watch = view.watchRange({}, { initial: false });
    const next = watch.next();
    await watch.return();
    expect(await next).toStrictEqual({ done: true, value: undefined });
    await db.close();
  });

  it("ends at what is none of the view's, and says which key", async () => {
    const db = await open();
    const view = viewOf(db);
    await db.put("v:wrong", "x");
    const watch = view.watchRange();
    const error = await rejection("KAYA_DECODE_FAILED", watch.next());
    expect(text(error.key)).toBe("v:wrong");
    expect(await watch.next()).toMatchObject({ done: true });
    await db.close();
  });
});
