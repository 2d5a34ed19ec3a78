import { type Engine, KayaError } from "@kaya/engine";
import { describe, expect, test } from "vitest";
import { EntryCheck } from "../src/import/entry-check.js";
import type { ImportEntry } from "../src/import/import-source.js";
import { Importer } from "../src/import/importer.js";

const MiB = 1024 * 1024;
const NO_LIMITS = {
  limits: { maxKeyBytes: 100, maxValueBytes: 16 * MiB },
  wal: { maxRecordBytes: 32 * MiB },
} as ConstructorParameters<typeof EntryCheck>[0];

interface Put {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly expiresAt?: number;
}

/** An engine whose batches end when the test says so. */
class DoubleEngine {
  readonly batches: { readonly keys: string[]; readonly end: (error?: Error) => void }[] = [];
  readonly values = new Map<string, Uint8Array>();
  syncs = 0;
  durable = true;
  syncError: Error | undefined;

  readError: Error | undefined;
  readyError: Error | undefined;

  async ready(): Promise<void> {
    if (this.readyError !== undefined) throw this.readyError;
  }

  batch(puts: readonly Put[]): Promise<{ durable: boolean }> {
    return new Promise((resolve, reject) => {
      const end = (error?: Error) => {
        if (error !== undefined) return reject(error);
        for (const { key, value } of puts) this.values.set(Buffer.from(key).toString(), value);
        resolve({ durable: this.durable });
      };
      this.batches.push({ keys: puts.map(({ key }) => Buffer.from(key).toString()), end });
    });
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    if (this.readError !== undefined) throw this.readError;
    return keys.map((key) => this.values.get(Buffer.from(key).toString()));
  }

  async sync(): Promise<void> {
    this.syncs++;
    if (this.syncError !== undefined) throw this.syncError;
  }
}

function importerInto(engine: DoubleEngine, skipExisting = false, maxRecordBytes = 32 * MiB): Importer {
  const opened = engine as unknown as Engine;
  const target = { engine: opened, open: async () => opened };
  const check = new EntryCheck(NO_LIMITS, []);
  const options = { check, skipExisting, expiresAt: undefined, maxRecordBytes, now: () => 1000 };
  return new Importer({ unit: "line", name: "x" }, target, options);
}

/** One batch each. */
const large = (key: string, place: number): ImportEntry => ({
  key: Buffer.from(key),
  value: new Uint8Array(MiB),
  place,
});
const small = (key: string, place: number): ImportEntry => ({
  key: Buffer.from(key),
  value: new Uint8Array(1),
  place,
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("an importer", () => {
  test("skips values that another program put into a new store between the beginning of the import and its first batch", async () => {
    const engine = new DoubleEngine();
    const opened = engine as unknown as Engine;
    const target: { engine: Engine | undefined; open: () => Promise<Engine> } = {
      engine: undefined,
      open: async () => {
        target.engine = opened;
        return opened;
      },
    };
    const check = new EntryCheck(NO_LIMITS, []);
    const options = {
      check,
      skipExisting: true,
      expiresAt: undefined,
      maxRecordBytes: 32 * MiB,
      now: () => 1000,
    };
    const importer = new Importer({ unit: "line", name: "x" }, target, options);
    await importer.add([small("a", 1), small("b", 2)]);
    engine.values.set("a", Buffer.from("precious"));
    const finishing = importer.finish();
    await turn();
    expect(engine.batches.map(({ keys }) => keys)).toEqual([["b"]]);
    engine.batches[0]?.end();
    await finishing;
    expect(Buffer.from(engine.values.get("a") ?? []).toString()).toBe("precious");
  });

  test("has several batches under way, and no more than a few", async () => {
    const engine = new DoubleEngine();
    const importer = importerInto(engine);
    const adding = importer.add(Array.from({ length: 10 }, (_, i) => large(`k${i}`, i + 1)));
    await turn();
    expect(engine.batches.map(({ keys }) => keys)).toEqual([["k0"], ["k1"], ["k2"], ["k3"]]);
    for (let i = 0; i < 9; i++) {
      engine.batches[i]?.end();
      await turn();
    }
    await adding;
    const finishing = importer.finish();
    await turn();
    engine.batches[9]?.end();
    await finishing;
    expect(importer.durablePlace).toBe(10);
    expect(engine.syncs).toBe(0);
  });

  test("counts nothing as durable behind a batch that failed, although it was written", async () => {
    const engine = new DoubleEngine();
    const importer = importerInto(engine);
    await importer.add([1, 2, 3, 4].map((place) => large(`k${place}`, place)));
    engine.batches[0]?.end();
    await turn();
    engine.batches[1]?.end(new KayaError("KAYA_DISK_FULL", "full"));
    await turn();
    engine.batches[2]?.end();
    await turn();
    await expect(importer.finish()).rejects.toThrow("full");
    await importer.settle();
    expect(importer.durablePlace).toBe(1);
    expect(engine.batches).toHaveLength(3); // what came behind the failure was not sent
  });

  test("counts a batch as lost whose keys could not be read", async () => {
    const engine = new DoubleEngine();
    const importer = importerInto(engine, true);
    await importer.add([large("a", 1)]);
    engine.readError = new KayaError("KAYA_CORRUPTION", "a damaged table");
    await expect(importer.add([small("b", 2), large("c", 3)])).rejects.toThrow("a damaged table");
    await importer.settle();
    expect(engine.batches).toEqual([]);
    expect(importer.durablePlace).toBe(0);
  });

  test("counts a batch as lost that the engine had no room for, and those before it as durable", async () => {
    const engine = new DoubleEngine();
    const importer = importerInto(engine);
    await importer.add([large("a", 1), large("b", 2)]);
    engine.readyError = new KayaError("KAYA_WRITER_FAILED", "no more room");
    const adding = expect(importer.add([large("c", 3)])).rejects.toThrow("no more room");
    engine.batches[0]?.end();
    await adding;
    await importer.settle();
    expect(engine.batches).toHaveLength(1);
    expect(importer.durablePlace).toBe(1);
  });

  test("puts no more entries into a batch than a record holds", async () => {
    const engine = new DoubleEngine();
    const importer = importerInto(engine, false, 4096);
    const adding = importer.add(Array.from({ length: 200 }, (_, i) => small("k", i + 1)));
    await turn();
    // A put has 9 bytes beside its key and value, and 8 more where it expires.
    for (const { keys } of engine.batches) expect(keys.length * (9 + 8 + 2)).toBeLessThan(2048);
    for (const { end } of engine.batches) end();
    await adding;
    expect(engine.batches.length).toBeGreaterThan(1);
  });

  test("what did not wait for the disk is durable once a sync says so, and not before", async () => {
    const engine = new DoubleEngine();
    engine.durable = false;
    const importer = importerInto(engine);
    await importer.add([large("a", 1), large("b", 2)]);
    engine.batches[0]?.end();
    await turn();
    expect(importer.durablePlace).toBe(0);
    engine.syncError = new KayaError("KAYA_FSYNC_FAILED", "no sync");
    const finishing = importer.finish();
    await turn();
    engine.batches[1]?.end();
    await expect(finishing).rejects.toThrow("no sync");
    await importer.settle();
    expect(importer.durablePlace).toBe(0);
    engine.syncError = undefined;
    await importer.finish();
    expect(importer.durablePlace).toBe(2);
  });

  test("that leaves existing keys alone looks only once the batches before are in", async () => {
    const engine = new DoubleEngine();
    const importer = importerInto(engine, true);
    engine.values.set("there", new Uint8Array());
    const adding = importer.add([
      small("there", 1),
      small("a", 2),
      small("a", 3),
      large("b", 4),
      large("a", 5),
      large("c", 6),
    ]);
    await turn();
    expect(engine.batches.map(({ keys }) => keys)).toEqual([["a"]]);
    engine.batches[0]?.end();
    await turn();
    engine.batches[1]?.end();
    await adding;
    const finishing = importer.finish();
    await turn();
    engine.batches[2]?.end();
    await finishing;
    expect(engine.batches.map(({ keys }) => keys)).toEqual([["a"], ["b"], ["c"]]);
    expect(importer.counts).toMatchObject({ entries: 6, written: 3, skipped: 3 });
    expect(importer.durablePlace).toBe(6);
  });

  test("a batch of which nothing is left is not written, and counts as done", async () => {
    const engine = new DoubleEngine();
    engine.values.set("a", new Uint8Array());
    const importer = importerInto(engine, true);
    await importer.add([large("a", 1)]);
    await importer.finish();
    expect(engine.batches).toEqual([]);
    expect(importer.durablePlace).toBe(1);
  });
});
