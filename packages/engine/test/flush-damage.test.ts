import { type Disk, SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { Engine, KayaError, type PartialEngineConfig, recover } from "../src/index.js";
import { InterceptedDisk } from "./support/intercepted-disk.js";
import { keysOf, rejection } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

/** Each look at a block reads the disk. */
const CONFIG: PartialEngineConfig = {
  memory: { cacheBytes: 0 },
  tables: { autoFlush: false, autoCompact: false, blockBytes: 512 },
};

const open = (disk: Disk, config: PartialEngineConfig = CONFIG) => Engine.open(config, disk);
const key = (i: number) => `key ${String(i).padStart(4, "0")}`;

/** Two tables of some blocks each, and a log behind them. */
async function store(onFlushed?: (disk: SimDisk) => Promise<void>): Promise<SimDisk> {
  const disk = new SimDisk();
  const engine = await open(disk);
  for (let i = 0; i < 40; i++) await engine.put(key(i), `${i}`.repeat(40), { durability: "relaxed" });
  await engine.flush();
  await onFlushed?.(disk);
  for (let i = 40; i < 80; i++) await engine.put(key(i), `${i}`.repeat(40), { durability: "relaxed" });
  await engine.flush();
  await engine.put("log", "1");
  await engine.close();
  return disk;
}

const firstOf = async (disk: SimDisk, dir: string) => (await disk.list(dir))[0]?.path ?? "";

describe("a damaged manifest", () => {
  it("is refused with its name and an offset, at each byte of what counts, and nothing is changed", async () => {
    let lastEdit = 0;
    const template = await store(async (disk) => {
      lastEdit = (await disk.list("manifest"))[0]?.length ?? 0;
    });
    const path = await firstOf(template, "manifest");
    const length = (await template.list("manifest"))[0]?.length ?? 0;
    for (let offset = 0; offset < length; offset += 3) {
      const disk = template.fork();
      disk.flipBit(path, offset, offset % 8);
      const before = disk.stateDigest("everything");
      for (const attempt of [
        () => recover(CONFIG, disk, { dryRun: true }),
        () => open(disk, { ...CONFIG, readOnly: true }),
      ]) {
        const error = await attempt().then(
          async (result) => {
            if (result instanceof Engine) await result.close();
            return undefined;
          },
          (reason: unknown) => reason,
        );
        if (!KayaError.is(error))
          throw new Error(`a flip at ${offset} of ${length} was not seen`, { cause: error });
        expect(["KAYA_CORRUPTION", "KAYA_UNSUPPORTED_VERSION"]).toContain(error.code);
        // A last edit that is not whole is taken for one that a crash tore. What it covered is not in the log any more, which says so.
        expect(error.message).toContain(offset < lastEdit ? path : "The log is whole up to LSN");
      }
      expect(disk.stateDigest("everything")).toBe(before);
      const files = async () => [await disk.list("manifest"), await disk.list("sst"), await disk.list("wal")];
      const filesBefore = await files();
      expect(KayaError.is(await open(disk).catch((reason: unknown) => reason))).toBe(true);
      expect(await files()).toEqual(filesBefore);
    }
  });

  it("is never passed over where it is gone", async () => {
    const disk = await store();
    disk.removeDurably(await firstOf(disk, "manifest"));
    const error = await rejection("KAYA_CORRUPTION", open(disk));
    expect(error.message).toContain("sst/0000000000000001.sst is there, and no manifest");
  });
});

describe("a table", () => {
  it.each(["missing", "shorter", "another one", "damaged in its footer"])(
    "that is %s is refused with its name, and nothing is changed",
    async (how) => {
      const disk = await store();
      const [first, second] = await disk.list("sst");
      const path = first?.path ?? "";
      if (how === "missing") disk.removeDurably(path);
      if (how === "shorter") disk.truncateDurably(path, (first?.length ?? 0) - 1);
      if (how === "another one") disk.writeFile(path, disk.readFile(second?.path ?? "") ?? new Uint8Array(0));
      if (how === "damaged in its footer") disk.flipBit(path, (first?.length ?? 0) - 10, 1);
      const files = async () => [await disk.list("manifest"), await disk.list("sst"), await disk.list("wal")];
      const before = await files();
      const error = await rejection("KAYA_CORRUPTION", open(disk));
      expect(error.message).toContain(path);
      await rejection("KAYA_CORRUPTION", recover(CONFIG, disk, { dryRun: true }));
      expect(await files()).toEqual(before);
    },
  );

  it("with a damaged block says so with file and offset, and all else is served", async () => {
    const disk = await store();
    const path = await firstOf(disk, "sst");
    disk.flipBit(path, 100, 4);
    const engine = await open(disk);
    const isNamed = (error: KayaError) => {
      expect(error.message).toContain(path);
      expect(error.message).toMatch(/offset \d+/);
    };
    isNamed(await rejection("KAYA_CORRUPTION", engine.get(key(0))));
    isNamed(await rejection("KAYA_CORRUPTION", engine.getEntry(key(0))));
    isNamed(await rejection("KAYA_CORRUPTION", engine.has(key(0))));
    isNamed(await rejection("KAYA_CORRUPTION", engine.getMany([key(50), key(0), key(51)])));
    isNamed(await rejection("KAYA_CORRUPTION", engine.count()));
    isNamed(await rejection("KAYA_CORRUPTION", keysOf(engine.scan())));
    isNamed(await rejection("KAYA_CORRUPTION", keysOf(engine.scan({ reverse: true }))));
    expect(() => engine.getSync(key(0))).toThrow(expect.objectContaining({ code: "KAYA_CORRUPTION" }));
    const onIt = { conditions: [{ key: key(0), sequence: 1 }] };
    isNamed(await rejection("KAYA_CORRUPTION", engine.batch([{ type: "put", key: "x", value: "1" }], onIt)));
    expect(await engine.has("x")).toBe(false);
    isNamed(await rejection("KAYA_CORRUPTION", engine.clear({ limit: 1 })));
    // All else goes on: other blocks, other tables, writes, flushes, also over the damage.
    expect((await engine.getMany([key(39), key(50), "log"])).every((value) => value !== undefined)).toBe(
      true,
    );
    expect(await keysOf(engine.scan({ gte: key(20) }))).toHaveLength(61);
    await engine.put(key(0), "new");
    expect(await engine.has(key(0))).toBe(true);
    await engine.flush();
    expect(Buffer.from((await engine.get(key(0))) ?? "").toString()).toBe("new");
    expect(engine.state).toBe("open");
    expect(engine.stats().memtable.snapshots.open).toBe(0);
    // A compaction does not carry it on, nor does it take the table away.
    isNamed(await rejection("KAYA_CORRUPTION", engine.compact()));
    expect((await disk.list("sst")).map(({ path: name }) => name)).toContain(path);
    await engine.close();
  });

  it("that no manifest names is removed at the next opening, which says so", async () => {
    const disk = await store();
    const bytes = disk.readFile(await firstOf(disk, "sst")) ?? new Uint8Array(0);
    disk.writeFile("sst/00000000000000aa.sst", bytes);
    disk.writeFile("sst/00000000000000ab.sst.tmp", bytes);
    disk.writeFile("sst/notes.txt", bytes);
    const looked = await recover(CONFIG, disk, { dryRun: true });
    expect(looked.tables.warnings.map(({ kind }) => kind)).toContain("UnknownFile");
    expect(await disk.list("sst")).toHaveLength(5);
    const engine = await open(disk);
    expect(engine.lastRecovery.tables.warnings).toEqual(
      expect.arrayContaining([
        { kind: "OrphanTable", path: "sst/00000000000000aa.sst", bytes: bytes.length, isRemoved: true },
        { kind: "UnknownFile", path: "sst/notes.txt" },
      ]),
    );
    expect((await disk.list("sst")).map(({ path }) => path)).toEqual([
      "sst/0000000000000001.sst",
      "sst/0000000000000002.sst",
      "sst/notes.txt",
    ]);
    expect(await engine.count()).toBe(81);
    await engine.close();
  });
});

describe("a dry run beside an engine that flushes", () => {
  it("takes what a flush removes under it for no damage", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    const fill = async () => {
      for (let i = 0; i < 20; i++) await engine.put(key(i % 7), "x");
    };
    await fill();
    let flushes = 0;
    // The log is listed, and gone when it is opened.
    const meanwhile = new InterceptedDisk(disk, ({ kind, path }) => {
      if (kind !== "open" || !path.endsWith(".wal") || flushes++ > 2) return undefined;
      return fill().then(async () => void (await engine.flush()));
    });
    const report = await recover(CONFIG, meanwhile, { dryRun: true });
    expect(report).toMatchObject({ recordCount: 0, tables: { covered: { lsn: engine.stats().lastLsn } } });
    expect(flushes).toBeGreaterThan(1);
    await engine.close();
  });

  it("tells of damage all the same", async () => {
    const disk = new SimDisk();
    const engine = await open(disk, { ...CONFIG, wal: { segmentMaxBytes: 700, maxRecordBytes: 400 } });
    for (let i = 0; i < 20; i++) await engine.put(key(i), "x");
    disk.flipBit("wal/0000000000000001.wal", 50, 1);
    await rejection("KAYA_CORRUPTION", recover(CONFIG, disk, { dryRun: true }));
    await engine.close();
  });
});
