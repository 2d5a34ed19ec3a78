import { SimDisk } from "@kaya/io";
import { afterEach, describe, expect, it, vi } from "vitest";
import { KayaLevel, type TtlOptions } from "../src/index.js";
import { rejection } from "./support/rejection.js";

const HOUR = 3600_000;

/** Never set back: the clock of the process does not go back either. */
let wall = Date.now();

afterEach(() => {
  vi.useRealTimers();
});

async function open(): Promise<{ db: KayaLevel; disk: SimDisk; pass: (ms: number) => void }> {
  // Time that really passes counts too: much less than the half hours that tests leave.
  vi.useFakeTimers({ toFake: ["Date"], now: wall });
  const disk = new SimDisk();
  const db = new KayaLevel("x", { disk });
  await db.open();
  const pass = (ms: number) => {
    wall += ms;
    vi.setSystemTime(wall);
  };
  return { db, disk, pass };
}

type Write = (db: KayaLevel, options: TtlOptions) => Promise<void>;

/** Every way to write a "1" with the options. */
const WRITES: Record<string, Write> = {
  put: (db, options) => db.put("a", "1", options),
  "an operation of a batch": (db, options) => db.batch([{ type: "put", key: "a", value: "1", ...options }]),
  "a batch": (db, options) => db.batch([{ type: "put", key: "a", value: "1" }], options),
  "a put of a chained batch": (db, options) => db.batch().put("a", "1", options).write(),
  "the write of a chained batch": (db, options) => db.batch().put("a", "1").write(options),
  "put with a prewrite hook": (db, options) => {
    db.hooks.prewrite.add(() => undefined);
    return db.put("a", "1", options);
  },
};

describe("ttl", () => {
  for (const [name, write] of Object.entries(WRITES)) {
    it(`of ${name} hides the entry when it has passed, until it is written again`, async () => {
      const { db, pass } = await open();
      await write(db, { ttl: HOUR });
      pass(HOUR / 2);
      expect([await db.get("a"), db.getSync("a"), await db.has("a")]).toEqual(["1", "1", true]);
      const snapshot = db.snapshot();
      pass(HOUR);
      expect([await db.get("a"), db.getSync("a"), await db.has("a")]).toEqual([undefined, undefined, false]);
      expect([await db.getMany(["a"]), await db.hasMany(["a"]), await db.keys().all()]).toEqual([
        [undefined],
        [false],
        [],
      ]);
      expect(await db.get("a", { snapshot })).toBe("1");
      await write(db, {});
      pass(24 * HOUR);
      expect(await db.get("a")).toBe("1");
      await write(db, { ttl: 1 });
      await write(db, { ttl: 0 });
      pass(24 * HOUR);
      expect(await db.get("a")).toBe("1");
      await snapshot.close();
      await db.close();
    });

    it(`of ${name} is refused where it is none, before anything is written`, async () => {
      for (const ttl of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, "1000", null]) {
        const { db, disk } = await open();
        const before = disk.nextOperation;
        await rejection(["KAYA_INVALID_ARGUMENT"], write(db, { ttl } as TtlOptions));
        expect(disk.nextOperation).toBe(before);
        await db.close();
      }
    });
  }

  it("of a batch is that of those of its puts that have none, in sublevels too", async () => {
    const { db, pass } = await open();
    const sub = db.sublevel("s");
    await sub.put("of a sublevel", "1", { ttl: HOUR } as object);
    await db.batch(
      [
        { type: "put", key: "hour", value: "1" },
        { type: "put", key: "day", value: "1", ttl: 24 * HOUR },
        { type: "put", key: "ever", value: "1", ttl: 0 },
        { type: "put", key: "in a sublevel", value: "1", sublevel: sub },
        { type: "del", key: "gone" },
      ],
      { ttl: HOUR },
    );
    expect((await db.keys().all()).length).toBe(5);
    pass(2 * HOUR);
    expect(await db.keys().all()).toEqual(["day", "ever"]);
    pass(24 * HOUR);
    expect(await db.keys().all()).toEqual(["ever"]);
    await db.close();
  });
});
