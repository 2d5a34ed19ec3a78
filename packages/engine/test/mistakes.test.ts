import { SimDisk } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { type BatchOperation, Engine, KayaError, recover } from "../src/index.js";
import { holdUp } from "./support/intercepted-disk.js";
import { keysOf, rejection, text } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const count = (disk: SimDisk) => disk.events.filter(({ index }) => index !== undefined).length;

/** What the last opening of a disk had done by its end: it begins a manifest. */
const atOpening = new WeakMap<SimDisk, number>();

const open = async (config = {}, disk = new SimDisk()) => {
  const engine = await Engine.open(config, disk);
  atOpening.set(disk, count(disk));
  return engine;
};

/** What a caller without types may pass. */
const wrong = (value: unknown): never => value as never;

const mutations = (disk: SimDisk) => count(disk) - (atOpening.get(disk) ?? 0);

describe("what does not fit", () => {
  it("is refused at the limit, with the limit's name, and nothing is written", async () => {
    const disk = new SimDisk();
    const engine = await open({ limits: { maxKeyBytes: 4, maxValueBytes: 8 } }, disk);
    const longKey = await rejection("KAYA_INVALID_ARGUMENT", engine.put("€€", "x"));
    expect(longKey.message).toContain("the key has 6 bytes, more than limits.maxKeyBytes (4)");
    const longValue = await rejection("KAYA_INVALID_ARGUMENT", engine.put("key", "123456789"));
    expect(longValue.message).toContain("the value has 9 bytes, more than limits.maxValueBytes (8)");
    await rejection("KAYA_INVALID_ARGUMENT", engine.delete("12345"));
    const half: BatchOperation[] = [
      { type: "put", key: "fine", value: "x" },
      { type: "put", key: "12345", value: "x" },
    ];
    await rejection("KAYA_INVALID_ARGUMENT", engine.batch(half));
    expect(mutations(disk)).toBe(0);
    await engine.put("1234", "12345678");
    expect(await keysOf(engine.scan())).toEqual(["1234"]);
    expect(await engine.get("far too long a key to exist")).toBe(undefined);
    await engine.close();
  });

  it("is refused where a whole record would be too large, to the byte", async () => {
    const disk = new SimDisk();
    const engine = await open({ wal: { maxRecordBytes: 100, segmentMaxBytes: 1000 } }, disk);
    const roomForValue = 100 - 40 - 8 - "key".length;
    const error = await rejection("KAYA_INVALID_ARGUMENT", engine.put("key", "x".repeat(roomForValue + 1)));
    expect(error.message).toContain("a record of 101 bytes is over maxRecordBytes (100)");
    const many = Array.from({ length: 10 }, (_, i) => ({ type: "put", key: `${i}`, value: "x" }) as const);
    await rejection("KAYA_INVALID_ARGUMENT", engine.batch(many));
    expect(mutations(disk)).toBe(0);
    await engine.put("key", "x".repeat(roomForValue));
    expect(engine.stats()).toMatchObject({ entries: 1, lastLsn: 1 });
    await engine.close();
  });

  it("is refused as text with half a surrogate pair, which would make different keys equal", async () => {
    const disk = new SimDisk();
    const engine = await open({}, disk);
    for (const half of ["\ud800", "a\udc00b", "\udc00\ud800"]) {
      await rejection("KAYA_INVALID_ARGUMENT", engine.put(half, "x"));
      await rejection("KAYA_INVALID_ARGUMENT", engine.put("key", half));
      await rejection("KAYA_INVALID_ARGUMENT", engine.get(half));
      expect(() => engine.scan({ prefix: half })).toThrow("surrogate");
    }
    expect(mutations(disk)).toBe(0);
    await engine.put("\u{1f600}", "whole pairs are fine");
    expect(text(await engine.get("\u{1f600}"))).toBe("whole pairs are fine");
    await engine.close();
  });
});

const WRONG_BYTES = [
  undefined,
  null,
  1,
  1n,
  true,
  {},
  [],
  [1, 2],
  new ArrayBuffer(2),
  new Uint16Array(2),
  Symbol("s"),
];

describe("a wrong type", () => {
  it.each([...WRONG_BYTES, Object.create(Uint8Array.prototype)])(
    "is refused as a key and as a value: case %#",
    async (value) => {
      const disk = new SimDisk();
      const engine = await open({}, disk);
      await rejection("KAYA_INVALID_ARGUMENT", engine.put(wrong(value), "x"));
      await rejection("KAYA_INVALID_ARGUMENT", engine.put("key", wrong(value)));
      await rejection("KAYA_INVALID_ARGUMENT", engine.delete(wrong(value)));
      await rejection("KAYA_INVALID_ARGUMENT", engine.get(wrong(value)));
      await rejection("KAYA_INVALID_ARGUMENT", engine.has(wrong(value)));
      await rejection("KAYA_INVALID_ARGUMENT", engine.getMany(["a", wrong(value)]));
      await rejection(
        "KAYA_INVALID_ARGUMENT",
        engine.batch([{ type: "put", key: "a", value: wrong(value) }]),
      );
      await rejection("KAYA_INVALID_ARGUMENT", engine.batch([{ type: "delete", key: wrong(value) }]));
      expect(() => engine.getSync(wrong(value))).toThrow(KayaError);
      expect(() => engine.snapshot().getSync(wrong(value))).toThrow(KayaError);
      expect(mutations(disk)).toBe(0);
      await engine.close();
    },
  );

  it("is refused as a batch or one of its operations", async () => {
    const disk = new SimDisk();
    const engine = await open({}, disk);
    const batches: unknown[] = [undefined, null, "abc", {}, [undefined], [null], ["put"], new Array(2)];
    batches.push([{ key: "a" }], [{ type: "merge", key: "a", value: "x" }], [{ type: "put", key: "a" }]);
    batches.push([{ type: "put", key: "fine", value: "x" }, { type: "delete" }]);
    for (const batch of batches) await rejection("KAYA_INVALID_ARGUMENT", engine.batch(wrong(batch)));
    expect(mutations(disk)).toBe(0);
    await engine.close();
  });

  it("is refused as a list of keys, holes included", async () => {
    const engine = await open();
    for (const keys of [undefined, "ab", new Set(["a"]), new Array(2)]) {
      await rejection("KAYA_INVALID_ARGUMENT", engine.getMany(wrong(keys)));
    }
    await engine.close();
  });

  it("is refused in a range, and so is an option that does not exist", async () => {
    const disk = new SimDisk();
    const engine = await open({}, disk);
    const ranges: unknown[] = [
      null,
      1,
      "prefix",
      [],
      { limit: -1 },
      { limit: 1.5 },
      { limit: "1" },
      { limit: Number.NaN },
    ];
    ranges.push({ reverse: 1 }, { gt: 1 }, { prefix: null }, { start: "a" }, { values: false });
    for (const range of ranges) {
      expect(() => engine.scan(wrong(range)), JSON.stringify(range)).toThrow(KayaError);
      await rejection("KAYA_INVALID_ARGUMENT", engine.clear(wrong(range)));
      expect(() => engine.snapshot().scan(wrong(range))).toThrow(KayaError);
    }
    expect(() => engine.scan(wrong({ start: "a" }))).toThrow(
      "unknown option start in a range (known: prefix, gt, gte, lt, lte, reverse, limit)",
    );
    for (const size of [0, -1, 1.5, Number.NaN, "1", undefined]) {
      expect(() => engine.scan().pages(size as number)).toThrow("whole number >= 1");
      expect(() => engine.scan().keyPages(size as number)).toThrow("whole number >= 1");
    }
    expect(mutations(disk)).toBe(0);
    await engine.close();
  });

  it("is refused in the options of a write, and so is an option that does not exist", async () => {
    const disk = new SimDisk();
    const engine = await open({}, disk);
    for (const options of [
      null,
      1,
      "relaxed",
      [],
      { durability: "fast" },
      { durability: null },
      { sync: true },
    ]) {
      await rejection("KAYA_INVALID_ARGUMENT", engine.put("a", "x", wrong(options)));
      await rejection("KAYA_INVALID_ARGUMENT", engine.delete("a", wrong(options)));
      await rejection("KAYA_INVALID_ARGUMENT", engine.batch([{ type: "delete", key: "a" }], wrong(options)));
      await rejection("KAYA_INVALID_ARGUMENT", engine.clear({}, wrong(options)));
    }
    expect(mutations(disk)).toBe(0);
    await engine.close();
  });

  it("never throws anything but a KayaError, and writes nothing, whatever it is", async () => {
    const disk = new SimDisk();
    const engine = await open({}, disk);
    const snapshot = engine.snapshot();
    const isBytes = (value: unknown) => typeof value === "string" || value instanceof Uint8Array;
    const anything = fc.anything({
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
    });
    const notBytes = anything.filter((value) => !isBytes(value));
    await fc.assert(
      fc.asyncProperty(notBytes, anything, anything, async (junk, more, options) => {
        const calls: (() => unknown)[] = [
          () => engine.put(wrong(junk), wrong(more), wrong(options)),
          () => engine.put("key", wrong(junk), wrong(options)),
          () => engine.delete(wrong(junk), wrong(options)),
          () => engine.batch(wrong(junk), wrong(options)),
          () => engine.batch(wrong([junk, more]), wrong(options)),
          () => engine.batch(wrong([{ type: more, key: "a", value: junk }])),
          () => engine.clear(wrong(junk === undefined ? null : { prefix: junk, gte: null })),
          () => engine.get(wrong(more)),
          () => engine.has(wrong(more)),
          () => engine.getMany(wrong(more)),
          () => engine.getSync(wrong(more)),
          () => engine.scan(wrong(more)),
          () => engine.scan(wrong({ limit: more, reverse: junk, gt: options })),
          () => engine.scan().pages(more as number),
          () => snapshot.get(wrong(more)),
          () => snapshot.has(wrong(more)),
          () => snapshot.scan(wrong(more)),
        ];
        for (const [i, call] of calls.entries()) {
          try {
            await call();
          } catch (error) {
            if (!KayaError.is(error)) throw new Error(`call ${i} threw ${error}`, { cause: error });
          }
        }
        expect(mutations(disk)).toBe(0);
      }),
      { numRuns: 300 },
    );
    await engine.close();
  });
});

describe("opening with mistakes", () => {
  it("tells all that is wrong with a configuration in one message, and touches no disk", async () => {
    const disk = new SimDisk();
    const config = {
      dataDir: "",
      durability: "sometimes",
      wal: { segmentMaxBytes: 10, recovery: "hope", colour: "red" },
      limits: { maxKeyBytes: -1 },
      disableLocking: 1,
      unknown: true,
    };
    for (const attempt of [Engine.open(wrong(config), disk), recover(wrong(config), disk)]) {
      const { message } = await rejection("KAYA_INVALID_ARGUMENT", attempt);
      for (const name of [
        "dataDir",
        "durability",
        "segmentMaxBytes",
        "recovery",
        "colour",
        "maxKeyBytes",
        "disableLocking",
        "unknown",
      ]) {
        expect(message).toContain(name);
      }
    }
    expect(disk.events).toEqual([]);
  });

  it("refuses options that do not exist, and a dry run that is not quite one", async () => {
    const disk = new SimDisk();
    for (const options of [null, 1, { dryrun: true }, { dryRun: "yes" }, { onProgress: 1 }]) {
      await rejection("KAYA_INVALID_ARGUMENT", recover({}, disk, wrong(options)));
    }
    for (const options of [null, 1, { dryRun: true }, { onProgress: 1 }]) {
      await rejection("KAYA_INVALID_ARGUMENT", Engine.open({}, disk, wrong(options)));
    }
    expect(disk.events).toEqual([]);
  });

  it("never rejects with anything but a KayaError, whatever is given as configuration, disk or options", async () => {
    await fc.assert(
      fc.asyncProperty(fc.anything(), fc.anything(), fc.anything(), async (config, disk, options) => {
        const attempts = [
          () => Engine.open(wrong(config), new SimDisk()),
          () => Engine.open(wrong({ wal: config, limits: options }), new SimDisk()),
          () => Engine.open({}, wrong(disk === undefined ? null : disk)),
          () => Engine.open({}, new SimDisk(), wrong(options)),
          () => recover(wrong(config), new SimDisk(), wrong(options)),
          () => recover({}, wrong(disk === undefined ? null : disk)),
        ];
        for (const attempt of attempts) {
          const error = await attempt().then(
            () => undefined,
            (reason: unknown) => reason,
          );
          if (error !== undefined) expect(KayaError.is(error), String(error)).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("refuses a second engine on one disk, and lets it in once the first is closed", async () => {
    const disk = new SimDisk();
    const first = await open({}, disk);
    await rejection("KAYA_LOCK_CONFLICT", open({}, disk));
    await rejection("KAYA_LOCK_CONFLICT", recover({}, disk));
    await first.put("a", "1");
    await first.close();
    const second = await open({}, disk);
    expect(await keysOf(second.scan())).toEqual(["a"]);
    await second.close();
  });

  it("lets go of the lock where opening fails", async () => {
    const disk = new SimDisk();
    disk.writeFile("wal/0000000000000000.wal", new Uint8Array(1));
    await rejection("KAYA_CORRUPTION", open({}, disk));
    await rejection("KAYA_CORRUPTION", recover({}, disk));
    disk.removeDurably("wal/0000000000000000.wal");
    await (await open({}, disk)).close();
  });

  it("takes no lock where the configuration says so", async () => {
    const disk = new SimDisk();
    const engines = [await open({ disableLocking: true }, disk), await open({ disableLocking: true }, disk)];
    expect(disk.events.some(({ kind }) => kind === "lock")).toBe(false);
    await Promise.all(engines.map((engine) => engine.close()));
  });
});

describe("use after close", () => {
  it("is KAYA_CLOSED on every method, and a second close is the first one's", async () => {
    const disk = new SimDisk();
    const engine = await open({}, disk);
    await engine.put("a", "1");
    const [snapshot, scan] = [engine.snapshot(), engine.scan()];
    const closing = engine.close();
    expect(engine.close()).toBe(closing);
    expect(engine[Symbol.asyncDispose]()).toBe(closing);
    await closing;
    const before = disk.events.length;
    const calls: readonly (() => Promise<unknown>)[] = [
      () => engine.put("a", "2"),
      () => engine.delete("a"),
      () => engine.batch([{ type: "delete", key: "a" }]),
      () => engine.clear(),
      () => engine.get("a"),
      () => engine.has("a"),
      () => engine.getMany(["a"]),
      () => engine.getMany([]),
      () => engine.sync(),
      () => engine.ready(),
      () => snapshot.get("a"),
      () => keysOf(scan),
    ];
    for (const call of calls) await rejection("KAYA_CLOSED", call());
    for (const call of [
      () => engine.getSync("a"),
      () => engine.scan(),
      () => engine.snapshot(),
      () => snapshot.getSync("a"),
      () => snapshot.scan(),
    ]) {
      expect(call).toThrow("the engine is closed");
    }
    snapshot.close();
    expect(engine.state).toBe("closed");
    expect(engine.failure).toBe(undefined);
    expect(disk.events.length).toBe(before);
  });

  it("is KAYA_CLOSED from the call of close on, while writes ahead of it still go through", async () => {
    const gate = holdUp(new SimDisk(), ({ kind, path }) => kind === "append" && path.startsWith("wal/"));
    const engine = await Engine.open({}, gate.disk);
    const ahead = engine.put("ahead", "1");
    await gate.held;
    const queued = engine.put("queued", "1");
    const closing = engine.close();
    await rejection("KAYA_CLOSED", engine.put("late", "1"));
    gate.release();
    await closing;
    expect(await ahead).toMatchObject({ lsn: 1, durable: true });
    expect(await queued).toMatchObject({ lsn: 2, durable: true });
    const reopened = await Engine.open({}, gate.disk);
    expect(await keysOf(reopened.scan())).toEqual(["ahead", "queued"]);
    await reopened.close();
  });

  it("ends a scan that is being read and a wait for room", async () => {
    const gate = holdUp(new SimDisk(), ({ kind, path }) => kind === "append" && path.startsWith("wal/"));
    const engine = await Engine.open({ wal: { maxBatchBytes: 50 } }, gate.disk);
    const writes = Array.from({ length: 5 }, (_, i) => engine.put(`${i}`, "x".repeat(50)));
    await gate.held;
    const ready = engine.ready().then(
      () => "room",
      (error: unknown) => error,
    );
    const closing = engine.close();
    gate.release();
    await closing;
    await Promise.all(writes);
    const outcome = await ready;
    expect(outcome === "room" || KayaError.is(outcome, "KAYA_CLOSED")).toBe(true);

    const next = await Engine.open({}, gate.disk);
    const pages = next.scan().pages(1)[Symbol.asyncIterator]();
    expect((await pages.next()).done).toBe(false);
    await next.close();
    await rejection("KAYA_CLOSED", pages.next());
  });
});
