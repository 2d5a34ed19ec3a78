import { ok } from "node:assert/strict";
import type { Readable } from "node:stream";
import charwise from "charwise";
import { LevelDatastore } from "datastore-level";
import { InvertedIndex } from "fergies-inverted-index";
import { Key } from "interface-datastore";
import { EntryStream, KeyStream, ValueStream } from "level-read-stream";
import { Quadstore } from "quadstore";
import { DataFactory } from "rdf-data-factory";
import { describe, expect, test } from "vitest";
import { KayaLevel } from "../src/index.js";
import { temporaryLocations } from "./support/temporary-directory.js";

const newLocation = temporaryLocations();

async function collected<T>(source: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}

describe("level-read-stream", () => {
  test("streams entries, keys and values of a range, again after the database was opened again", async () => {
    const db = new KayaLevel(newLocation());
    const names = Array.from({ length: 3000 }, (_, i) => `${i}`.padStart(4, "0"));
    await db.batch(names.map((key) => ({ type: "put", key, value: `value ${key}` })));
    for (const isReopened of [false, true]) {
      if (isReopened) await db.close().then(() => db.open());
      expect(await collected(new KeyStream<string>(db))).toEqual(names);
      const range = { gte: "0100", lt: "2900", reverse: true, limit: 1500 };
      const entries = await collected(new EntryStream<string, string>(db, range));
      expect(entries.map(({ key }) => key)).toEqual(names.slice(1400, 2900).reverse());
      expect(entries.every(({ key, value }) => value === `value ${key}`)).toBe(true);
      expect(await collected(new ValueStream<string, string>(db, { gt: "2998" }))).toEqual(["value 2999"]);
    }
    const stream = new EntryStream(db) as unknown as Readable; // the types of its base class are not installed
    const closed = new Promise((resolve) => stream.once("close", resolve));
    for await (const _ of stream) break;
    await closed;
    expect(db.engine.stats().memtable.snapshots.open).toBe(0);
    await db.close();
  });
});

describe("charwise", () => {
  test("keeps keys of many types in its order", async () => {
    const db = new KayaLevel<unknown, unknown>(newLocation(), {
      keyEncoding: charwise,
      valueEncoding: "json",
    });
    const sorted = [false, true, -1e10, -1, 0, 0.5, 7, 1e9, "", "a", "b", [], [1, "x"], [1, "y"], [2]];
    await db.batch(sorted.toReversed().map((key) => ({ type: "put", key, value: { key } })));
    await db.close();
    await db.open();
    expect(await db.keys().all()).toEqual(sorted);
    expect(await db.values({ gt: [1], lt: [2] }).all()).toEqual([{ key: [1, "x"] }, { key: [1, "y"] }]);
    expect(await db.get([2])).toEqual({ key: [2] });
    await db.close();
  });
});

describe("datastore-level", () => {
  test("stores, queries and batches, and finds it all after closing", async () => {
    const location = newLocation();
    const open = async () => {
      const options = { keyEncoding: "utf8", valueEncoding: "view" };
      const db = new KayaLevel<string, Uint8Array>(location, options);
      // @ts-expect-error Its type names the class of `level`; what it uses is abstract-level's.
      const store = new LevelDatastore(db);
      await store.open();
      return store;
    };
    let store = await open();
    await store.put(new Key("/a/1"), Uint8Array.of(1));
    const batch = store.batch();
    for (const i of [2, 3, 4]) batch.put(new Key(`/a/${i}`), Uint8Array.of(i));
    batch.put(new Key("/b/1"), Uint8Array.of(9));
    batch.delete(new Key("/a/1"));
    await batch.commit();
    await store.delete(new Key("/a/4"));
    await store.close();

    store = await open();
    expect(await store.get(new Key("/b/1"))).toEqual(Uint8Array.of(9));
    expect(await store.has(new Key("/a/1"))).toBe(false);
    await expect(store.get(new Key("/a/4"))).rejects.toThrow("Not Found");
    const pairs = await collected(store.query({ prefix: "/a" }));
    expect(pairs.map(({ key, value }) => [key.toString(), [...value]])).toEqual([
      ["/a/2", [2]],
      ["/a/3", [3]],
    ]);
    expect((await collected(store.queryKeys({}))).map(String)).toEqual(["/a/2", "/a/3", "/b/1"]);
    await store.close();
  });
});

describe("quadstore", () => {
  test("answers every pattern as a list of the quads would, also after opening it again", async () => {
    const factory = new DataFactory();
    const location = newLocation();
    const open = async () => {
      const store = new Quadstore({ backend: new KayaLevel(location), dataFactory: factory });
      await store.open();
      return store;
    };
    const node = (name: string) => factory.namedNode(`http://example.com/${name}`);
    const quads = Array.from({ length: 60 }, (_, i) =>
      factory.quad(node(`s${i % 5}`), node(`p${i % 4}`), factory.literal(`o${i % 3}`), node(`g${i % 2}`)),
    );
    const gone = quads[7];
    ok(gone);
    let store = await open();
    await store.multiPut(quads);
    await store.del(gone);
    await store.close();

    store = await open();
    const left = quads.filter((quad) => !quad.equals(gone));
    expect(left.length).toBe(59);
    const patterns = [
      {},
      { subject: node("s2") },
      { predicate: node("p1"), object: factory.literal("o0") },
      { graph: node("g1"), subject: node("s2") },
      { subject: node("s0"), predicate: node("p0"), object: factory.literal("o0"), graph: node("g0") },
      { subject: node("nobody") },
    ];
    const nameOf = (quad: (typeof quads)[number]) =>
      [quad.subject, quad.predicate, quad.object, quad.graph].map(({ value }) => value).join(" ");
    for (const pattern of patterns) {
      const { items } = (await store.get(pattern)) as unknown as { items: typeof quads };
      const expected = left.filter((quad) =>
        Object.entries(pattern).every(([part, term]) => quad[part as keyof typeof pattern].equals(term)),
      );
      expect(items.map(nameOf).sort()).toEqual(expected.map(nameOf).sort());
    }
    await store.close();
  });
});

describe("fergies-inverted-index", () => {
  test("indexes documents, searches them, and goes on where it was after opening it again", async () => {
    const name = newLocation();
    const open = async () => {
      const index = new InvertedIndex({ name, Level: KayaLevel });
      await new Promise((resolve) => index.EVENTS.once("ready", resolve));
      return index;
    };
    const cars = [
      { _id: 1, make: "BMW", colour: "Blue", year: 2011 },
      { _id: 2, make: "Volvo", colour: "Black", year: 2016 },
      { _id: 3, make: "BMW", colour: "Black", year: 2014 },
      { _id: 4, make: "Tesla", colour: "Red", year: 2014 },
    ];
    const ids = (found: { _id: number }[]) => found.map(({ _id }) => _id).sort();
    let index = await open();
    await index.PUT(cars);
    await index.DELETE([4]);
    await index.STORE.close();

    index = await open();
    expect(ids(await index.AND(["make:BMW", "colour:Black"]))).toEqual([3]);
    expect(ids(await index.OR(["make:Volvo", "colour:Blue"]))).toEqual([1, 2]);
    expect(ids(await index.GET({ FIELD: "year", VALUE: { GTE: 2012, LTE: 2016 } }))).toEqual([2, 3]);
    expect(ids(await index.GET("make:Tesla"))).toEqual([]);
    expect((await index.DISTINCT({ FIELD: "make" })).map(({ VALUE }) => VALUE)).toEqual(["BMW", "Volvo"]);
    const documents = await index.OBJECT(await index.GET("make:Volvo"));
    expect(documents.map(({ _object }) => _object)).toEqual([cars[1]]);
    await index.STORE.close();
  });
});
