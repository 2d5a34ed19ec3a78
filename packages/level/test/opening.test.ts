import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SimDisk } from "@kaya/io";
import { ClassicLevel } from "classic-level";
import { describe, expect, it } from "vitest";
import { KayaLevel } from "../src/index.js";
import { rejection } from "./support/rejection.js";
import { temporaryLocations } from "./support/temporary-directory.js";

const newLocation = temporaryLocations();
const NOT_OPEN = "LEVEL_DATABASE_NOT_OPEN";

describe("opening", () => {
  it("makes the directory, and finds what was written when it opens again", async () => {
    const location = join(newLocation(), "deep", "below");
    const db = new KayaLevel(location);
    expect(db.location).toBe(location);
    await db.put("a", "1");
    await db.close();
    expect((await readdir(location)).sort()).toEqual(["LOCK", "manifest", "wal"]);
    await db.open();
    expect(await db.get("a")).toBe("1");
    await db.close();
  });

  it("makes nothing where createIfMissing is false, and opens what is there", async () => {
    const location = newLocation();
    const db = new KayaLevel(location, { createIfMissing: false });
    const error = await rejection([NOT_OPEN, "KAYA_NOT_FOUND"], db.open());
    expect(error.cause?.message).toBe(`${location} does not exist, and createIfMissing is false`);
    await expect(readdir(location)).rejects.toThrow("ENOENT");
    await mkdir(location);
    await writeFile(join(location, "unrelated"), "");
    await rejection([NOT_OPEN, "KAYA_NOT_FOUND"], db.open());
    expect(await readdir(location)).toEqual(["unrelated"]);
    await rejection([NOT_OPEN, "KAYA_INVALID_ARGUMENT"], db.open({ createIfMissing: true }));
    expect(await readdir(location)).toEqual(["unrelated"]);
    await db.open({ createIfMissing: true, allowForeignFiles: true });
    await db.close();
    await db.open();
    await db.close();
  });

  it("looks without a trace where readOnly is true, beside a database that writes", async () => {
    const location = newLocation();
    await rejection([NOT_OPEN, "KAYA_NOT_FOUND"], new KayaLevel(location, { readOnly: true }).open());
    await expect(readdir(location)).rejects.toThrow("ENOENT");
    const writer = new KayaLevel(location);
    await writer.put("a", "1");
    const looker = new KayaLevel(location, { readOnly: true });
    expect(await looker.iterator().all()).toEqual([["a", "1"]]);
    await rejection(["KAYA_READ_ONLY"], looker.put("b", "2"));
    await Promise.all([looker.close(), writer.close()]);
  });

  it("fails where errorIfExists is true and a database is there, even one that was never written to", async () => {
    const location = newLocation();
    await mkdir(location);
    const db = new KayaLevel(location, { errorIfExists: true });
    await db.open();
    await db.close();
    await rejection([NOT_OPEN, "KAYA_INVALID_ARGUMENT"], db.open());
    await db.open({ errorIfExists: false });
    await db.close();
  });

  it("refuses the directory of a LevelDB and leaves it as it is", async () => {
    const location = newLocation();
    const classic = new ClassicLevel(location);
    await classic.put("a", "1");
    await classic.close();
    const before = await readdir(location);
    const error = await rejection([NOT_OPEN, "KAYA_INVALID_ARGUMENT"], new KayaLevel(location).open());
    expect(error.cause?.message).toContain("holds a LevelDB database");
    expect(await readdir(location)).toEqual(before);
    await classic.open();
    expect(await classic.get("a")).toBe("1");
    await classic.close();
  });

  it("says that another has it open as LevelDB does, with what Kaya says as the cause", async () => {
    const location = newLocation();
    const first = new KayaLevel(location);
    await first.open();
    const error = await rejection(
      [NOT_OPEN, "LEVEL_LOCKED", "KAYA_LOCK_CONFLICT"],
      new KayaLevel(location).open(),
    );
    expect(error.cause?.message).toContain(`pid ${process.pid}`);
    await first.close();
  });

  it("says that it is damaged as LevelDB does, with file and offset, and changes nothing", async () => {
    const location = newLocation();
    const db = new KayaLevel(location);
    await db.put("a", "1");
    await db.engine.flush();
    await db.close();
    const [name] = await readdir(join(location, "sst"));
    const file = join(location, "sst", `${name}`);
    const bytes = await readFile(file);
    bytes[bytes.length - 1] = ~(bytes.at(-1) ?? 0); // of its footer
    await writeFile(file, bytes);
    const error = await rejection([NOT_OPEN, "LEVEL_CORRUPTION", "KAYA_CORRUPTION"], db.open());
    expect(error.cause?.message).toContain(`${name}`);
    expect(await readFile(file)).toEqual(bytes);
  });

  it("says that the system said no as LevelDB does", async () => {
    const disk = new SimDisk();
    const db = new KayaLevel("x", { disk });
    await db.put("a", "1");
    await db.close();
    for (let i = 0; i < 20; i++) disk.addFault({ atRead: disk.nextRead + i, kind: "read-error" });
    await rejection([NOT_OPEN, "LEVEL_IO_ERROR", "KAYA_IO"], db.open());
  });

  it("hands the engine's options on to it, from the constructor and from open", async () => {
    const db = new KayaLevel("x", { limits: { maxKeyBytes: 3 }, disk: new SimDisk() });
    await rejection(["KAYA_INVALID_ARGUMENT"], db.put("four", ""));
    await db.close();
    await db.open({ limits: { maxKeyBytes: 4 } });
    await db.put("four", "");
    await db.close();
    const wrong = { wal: { recovery: "perhaps" as "tail" } };
    const error = await rejection([NOT_OPEN, "KAYA_INVALID_ARGUMENT"], db.open(wrong));
    expect(error.cause?.message).toContain("wal.recovery");
    const elsewhere = { dataDir: "elsewhere" } as object;
    await rejection([NOT_OPEN, "KAYA_INVALID_ARGUMENT"], db.open(elsewhere));
  });

  it("takes the options that tune LevelDB, and those of anybody's hooks", async () => {
    for (const compression of [false, true]) {
      const options = { compression, cacheSize: 1024, userland: "x", disk: new SimDisk() };
      const db = new KayaLevel("x", options);
      await db.open();
      await db.close();
    }
  });

  it("bounds memory, shapes tables and compresses them as its options say", async () => {
    const disk = new SimDisk();
    const db = new KayaLevel("x", {
      memory: { memtableBytes: 2 * 1024 * 1024, cacheBytes: 0 },
      compression: "snappy",
      tables: { blockBytes: 4096, quietMs: 0 },
      disk,
    });
    await db.put("a", "a".repeat(100_000));
    expect(db.engine.stats().memtable.limitBytes).toBe(2 * 1024 * 1024);
    expect(db.engine.stats().tables.cache.capacityBytes).toBe(0);
    await db.engine.flush();
    expect(db.engine.stats().tables.bytes).toBeLessThan(20_000);
    expect(await db.get("a")).toHaveLength(100_000);
    await db.close();
    const error = await rejection(
      [NOT_OPEN, "KAYA_INVALID_ARGUMENT"],
      new KayaLevel("x", { compression: "brotli" as "snappy", disk }).open(),
    );
    expect(error.cause?.message).toContain("compression");
  });

  it("refuses a location that is none", () => {
    for (const location of ["", undefined, null, 1, {}]) {
      expect(() => new KayaLevel(location as string)).toThrow(TypeError);
    }
  });
});

describe("the engine", () => {
  it("is there while the database is open, for what abstract-level has no name for", async () => {
    const db = new KayaLevel(newLocation());
    expect(() => db.engine).toThrow(expect.objectContaining({ code: NOT_OPEN }));
    await db.put("a", "1", { sync: false });
    await db.engine.sync();
    const { entries, wal } = db.engine.stats();
    expect([entries, wal.segments]).toEqual([1, 1]);
    expect((await db.engine.flush()).entries).toBe(1);
    const copy = newLocation();
    await db.engine.backup(copy);
    await db.close();
    expect(() => db.engine).toThrow(expect.objectContaining({ code: NOT_OPEN }));
    const restored = new KayaLevel(copy, { createIfMissing: false });
    expect(await restored.get("a")).toBe("1");
    await restored.close();
  });

  it("is there in a postopen hook", async () => {
    const db = new KayaLevel("x", { disk: new SimDisk() });
    const entries: number[] = [];
    db.hooks.postopen.add(async () => void entries.push(db.engine.stats().entries));
    await db.put("a", "1");
    await db.close();
    await db.open();
    expect(entries).toEqual([0, 1]);
    await db.close();
  });
});

describe("closing", () => {
  it("that cannot make relaxed writes durable fails once; then it is closed and may be opened again", async () => {
    const disk = new SimDisk();
    const db = new KayaLevel("x", { disk });
    await db.put("a", "1");
    await db.put("b", "1", { sync: false });
    disk.addFault({ at: disk.nextOperation, kind: "fsync-failed" });
    await rejection(["LEVEL_DATABASE_NOT_CLOSED", "KAYA_WRITER_FAILED", "KAYA_FSYNC_FAILED"], db.close());
    await rejection([NOT_OPEN], db.get("a"));
    await db.close();
    await db.open();
    expect(await db.get("a")).toBe("1");
    await db.close();
  });

  it("lets go of iterators and snapshots that were left open", async () => {
    const db = new KayaLevel("x", { disk: new SimDisk() });
    await db.put("a", "1");
    const iterator = db.iterator();
    await iterator.next();
    await db.put("b", "1");
    const snapshot = db.snapshot();
    expect(db.engine.stats().memtable.snapshots.open).toBe(2);
    const { engine } = db;
    await db.close();
    expect(engine.stats().memtable.snapshots.open).toBe(0);
    await rejection(["LEVEL_ITERATOR_NOT_OPEN"], iterator.next());
    await db.open();
    await rejection(["LEVEL_SNAPSHOT_NOT_OPEN"], db.get("a", { snapshot }));
    await db.close();
  });
});
