import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { Engine, json, tuple, type View, type ViewChange } from "../../src/index.js";
import { rejection, text } from "../support/text.js";

const viewOf = (db: Engine) =>
  db.view({ prefix: "v:", key: tuple<[string, number]>(), value: json<string>() });

async function take<K, V>(
  count: number,
  changes: AsyncIterable<ViewChange<K, V>>,
): Promise<ViewChange<K, V>[]> {
  const taken: ViewChange<K, V>[] = [];
  for await (const change of changes) if (taken.push(change) === count) break;
  return taken;
}

describe("the changes of a view", () => {
  it("are those of its keys, in its types, each with its sequence", async () => {
    const db = await Engine.open({}, new SimDisk());
    const view = viewOf(db);
    await db.put("other", "not JSON");
    await view.put(["a", 1], "x");
    await db.batch([
      { type: "delete", key: "w" },
      view.op.delete(["a", 1]),
      { type: "put", key: "u", value: "" },
      view.op.put(["b", 2], "y"),
    ]);
    await db.put("v", "not in it");
    const [first, second] = await take(2, view.changes());
    expect(first).toMatchObject({
      lsn: 2,
      sequence: 2,
      operations: [{ type: "put", key: ["a", 1], value: "x", sequence: 2 }],
    });
    expect(second).toMatchObject({
      lsn: 3,
      operations: [
        { type: "delete", key: ["a", 1], sequence: 4 },
        { type: "put", key: ["b", 2], value: "y", sequence: 6 },
      ],
    });
    const { value: next } = await db.changes({ since: second?.token ?? "" }).next();
    expect(next?.lsn).toBe(4);
    await db.close();
  });

  it("have of a clear what of it is in the view", async () => {
    const db = await Engine.open({}, new SimDisk());
    const view = viewOf(db);
    await db.clear({ lt: "v" });
    await db.clear({ gte: "v;" });
    await db.clear();
    await view.clear({ prefix: ["a"] });
    await db.clear({ gte: "v:" });
    await db.clear({ lt: view.op.put(["b", 5], "").key });
    await view.clear({ gt: ["b", 4] });
    const changes = await take(5, view.changes());
    const ranges = changes.flatMap(({ operations }) =>
      operations.map(
        (each) =>
          each.type === "deleteRange" && [
            each.includes(["a", 1]),
            each.includes(["b", 4]),
            each.includes(["b", 5]),
          ],
      ),
    );
    expect(ranges).toStrictEqual([
      [true, true, true],
      [true, false, false],
      [true, true, true],
      [true, true, false],
      [false, false, true],
    ]);
    expect(changes.map(({ lsn }) => lsn)).toStrictEqual([3, 4, 5, 6, 7]);
    const [whole] = changes[0]?.operations ?? [];
    expect(whole?.type === "deleteRange" && [text(whole.start), text(whole.end)]).toStrictEqual(["v:", "v;"]);
    await db.close();
  });

  it("of a view of the whole store are all", async () => {
    const db = await Engine.open({}, new SimDisk());
    const all: View<Uint8Array, Uint8Array> = db.view({ key: "bytes", value: "bytes" });
    await db.clear({ gt: "a" });
    await db.put("b", "c");
    const [first, second] = await take(2, all.changes());
    expect(first?.operations).toMatchObject([{ type: "deleteRange", end: undefined }]);
    expect(second?.operations).toMatchObject([{ type: "put" }]);
    await db.close();
  });

  it("come in the order of the calls, whatever is left out between them", async () => {
    const db = await Engine.open({}, new SimDisk());
    const view = viewOf(db);
    for (let i = 0; i < 6; i++) {
      await db.put("other", "x");
      await view.put(["a", i], "x");
    }
    const changes = view.changes();
    const lsns = (await Promise.all(Array.from({ length: 6 }, () => changes.next()))).map(
      ({ value }) => value?.lsn,
    );
    expect(lsns).toStrictEqual([2, 4, 6, 8, 10, 12]);
    await changes.return();
    expect(await changes.next()).toStrictEqual({ done: true, value: undefined });
    await db.close();
  });

  it("move a consumer on past what is not of the view", async () => {
    const db = await Engine.open({ durability: "relaxed" }, new SimDisk());
    const view = viewOf(db);
    await db.addConsumer("c");
    await view.put(["a", 1], "x");
    for (let i = 0; i < 300; i++) await db.put("other", "x");
    await view.put(["a", 2], "x");
    await db.sync();
    const lsn = () => db.consumers()[0]?.lsn;
    {
      await using changes = view.changes({ consumer: "c" });
      await changes.next();
      await changes.next();
      expect(lsn()).toBe(0); // the first change was given and never acknowledged
    }
    await using changes = view.changes({ consumer: "c" });
    const { value: first } = await changes.next();
    await changes.acknowledge(first?.token ?? "");
    const { value: second } = await changes.next();
    expect([lsn(), second?.lsn]).toStrictEqual([257, 302]);
    await db.close();
  });

  it("end at what is none of the view's, and say which key", async () => {
    const db = await Engine.open({}, new SimDisk());
    const view = viewOf(db);
    await db.put("v:wrong", "x");
    const changes = view.changes();
    const error = await rejection("KAYA_DECODE_FAILED", changes.next());
    expect(text(error.key)).toBe("v:wrong");
    expect(await changes.next()).toMatchObject({ done: true });
    expect(db.stats().changes.feeds).toBe(0);
    await db.close();
  });
});
