import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { type DatabaseOptions, KayaLevel, type WriteOptions } from "../src/index.js";
import { rejection } from "./support/rejection.js";

const open = async (options: Partial<DatabaseOptions<string, string>> = {}) => {
  const disk = new SimDisk();
  const db = new KayaLevel("x", { ...options, disk });
  await db.open();
  await db.put("ready", "", { sync: true }); // the first write also makes the segment
  return { db, disk };
};

/** Every way to write, with the options given each. */
const WRITES: Record<string, (db: KayaLevel, options: WriteOptions) => Promise<void>> = {
  put: (db, options) => db.put("a", "1", options),
  del: (db, options) => db.del("ready", options),
  batch: (db, options) => db.batch([{ type: "put", key: "a", value: "1" }], options),
  "a chained batch": (db, options) => db.batch().put("a", "1").write(options),
  clear: (db, options) => db.clear(options),
  "clear by a snapshot": (db, options) => db.clear({ ...options, snapshot: db.snapshot() }),
  "put in a sublevel": (db, options) => db.sublevel("s").put("a", "1", options as object),
  "put with a prewrite hook": (db, options) => {
    db.hooks.prewrite.add(() => undefined);
    return db.put("a", "1", options);
  },
};

const isDurable = (db: KayaLevel) => db.engine.stats().durableLsn === db.engine.stats().lastLsn;

describe("durability", () => {
  for (const [name, write] of Object.entries(WRITES)) {
    const cases: [WriteOptions, "strict" | "relaxed" | undefined, boolean][] = [
      [{}, undefined, true],
      [{}, "relaxed", false],
      [{ sync: false }, "strict", false],
      [{ sync: true }, "relaxed", true],
      [{ durability: "relaxed" }, "strict", false],
      [{ durability: "strict" }, "relaxed", true],
      [{ durability: "strict", sync: true }, "relaxed", true],
    ];
    it(`of ${name} is what the write asks for, else the database's, else strict`, async () => {
      for (const [options, durability, expected] of cases) {
        const { db } = await open(durability && { durability });
        await write(db, options);
        expect([options, durability, isDurable(db)]).toEqual([options, durability, expected]);
        await db.close();
      }
    });

    it(`of ${name}: what contradicts itself or is none is refused before anything is written`, async () => {
      const wrong = [{ sync: true, durability: "relaxed" }, { sync: "yes" }, { durability: "eventual" }];
      for (const options of wrong) {
        const { db, disk } = await open();
        const before = disk.nextOperation;
        await rejection(["KAYA_INVALID_ARGUMENT"], write(db, options as WriteOptions));
        expect(disk.nextOperation).toBe(before);
        await db.close();
      }
    });
  }

  it("survives a power cut as promised: what was strict is there, what was relaxed may go", async () => {
    const { db, disk } = await open();
    await db.batch([{ type: "put", key: "strict", value: "1" }]);
    await db.put("relaxed", "1", { sync: false });
    disk.crash();
    const reopened = new KayaLevel("x", { disk });
    expect(await reopened.keys().all()).toEqual(["ready", "strict"]);
    expect(reopened.engine.lastRecovery.recordCount).toBe(2);
    await reopened.close();
  });

  it("takes an empty batch, which writes nothing", async () => {
    const { db, disk } = await open();
    const before = disk.nextOperation;
    await db.batch([]);
    await db.batch().write();
    await db.batch().put("a", "1").clear().write();
    expect(disk.nextOperation).toBe(before);
    await db.close();
  });
});
