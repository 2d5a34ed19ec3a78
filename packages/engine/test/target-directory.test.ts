import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Disk, type FaultRule, NodeDisk, SimDisk } from "@kaya/io";
import { afterAll, describe, expect, it } from "vitest";
import { Engine, KayaError, recoverTo } from "../src/index.js";
import { holdUp } from "./support/intercepted-disk.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { rejection } from "./support/text.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

const ENTRIES = 20;

async function filled(disk = new SimDisk()): Promise<Engine> {
  const engine = await Engine.open({}, disk);
  for (let n = 0; n < ENTRIES; n++) await engine.put(`k${n}`, "v");
  return engine;
}

/** Makes the directory, and then cannot make the lock file. */
class LockFailsOnce extends NodeDisk {
  #hasFailed = false;

  override async lock(path: string) {
    const lock = await super.lock(path);
    if (this.#hasFailed) return lock;
    this.#hasFailed = true;
    await lock.release({ remove: true });
    throw new KayaError("KAYA_IO", `lock ${path}: input/output error`);
  }
}

const WAYS = [
  // A backup that comes after the other one goes on from it.
  [
    "a backup",
    (engine: Engine, _source: Disk, into: Disk | string, onBytes?: () => void) =>
      engine.backup(into, onBytes && { onProgress: onBytes }),
    ["done", "KAYA_LOCK_CONFLICT"],
  ],
  [
    "what is recovered to an LSN",
    (_engine: Engine, source: Disk, into: Disk | string, onBytes?: () => void) =>
      recoverTo({}, { lsn: ENTRIES, into, ...(onBytes && { onWrite: onBytes }) }, source),
    ["done", "KAYA_LOCK_CONFLICT", "KAYA_INVALID_ARGUMENT"],
  ],
] as const;

describe.each(WAYS)("the directory of %s", (_what, write, later) => {
  it("is whole where one resolved, whenever another began beside it", async () => {
    const source = new SimDisk();
    const engine = await filled(source);
    const outcomes = new Set<string>();
    for (let turns = 0; turns < 40; turns++) {
      const target = new SimDisk({ unhurried: true });
      const second = async () => {
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        return write(engine, source, target);
      };
      const results = await Promise.allSettled([write(engine, source, target), second()]);
      const codes = results.map((result) => (result.status === "fulfilled" ? "done" : result.reason.code));
      expect(codes, `the second began ${turns} turns later`).toContain("done");
      for (const code of codes) outcomes.add(code);
      const copy = await Engine.open({}, target);
      expect(await copy.count(), `the second began ${turns} turns later`).toBe(ENTRIES);
      await copy.close();
    }
    expect(outcomes).toEqual(new Set(later));
    await engine.close();
  });

  it("is made again if the lock file could not be made, and nothing is left until then", async () => {
    const source = new SimDisk();
    const engine = await filled(source);
    const root = join(await directories.make(), "absent");
    const disk = new LockFailsOnce(root);
    const [first] = await Promise.allSettled([write(engine, source, disk)]);
    // An I/O error may be tried again within the call.
    if (first.status === "rejected") {
      expect(first.reason).toMatchObject({ code: "KAYA_IO" });
      await expect(readdir(root)).rejects.toThrow("ENOENT");
      await write(engine, source, disk);
    }
    await disk.close();
    const copy = await Engine.open({ dataDir: root });
    expect(await copy.count()).toBe(ENTRIES);
    await copy.close();
    await engine.close();
  });

  it("cannot be opened while it is written", async () => {
    const source = new SimDisk();
    const engine = await filled(source);
    const target = new SimDisk();
    const gate = holdUp(target, ({ kind }) => kind === "append");
    const running = write(engine, source, gate.disk);
    await gate.held;
    await rejection("KAYA_LOCK_CONFLICT", Engine.open({}, target));
    gate.release();
    await running;
    const copy = await Engine.open({}, target);
    expect(await copy.count()).toBe(ENTRIES);
    await copy.close();
    await engine.close();
  });

  it("is as it was where the writing fails: without the LOCK and the directories that it made", async () => {
    const source = new SimDisk();
    const engine = await filled(source);
    const work = await directories.make();
    const fail = (into: Disk | string) => {
      const failing = write(engine, source, into, () => {
        throw new Error("enough");
      });
      return expect(failing).rejects.toThrow("enough");
    };
    const [absent, empty, own, locked] = ["new/absent", "empty", "own", "locked"].map((name) =>
      join(work, name),
    ) as [string, string, string, string];
    for (const dir of [empty, join(own, "sst")]) await mkdir(dir, { recursive: true });
    await (await new NodeDisk(locked).lock("LOCK")).release();
    for (const dir of [absent, empty, own, locked]) await fail(dir);
    expect((await readdir(work)).sort()).toEqual(["empty", "locked", "own"]);
    expect([await readdir(empty), await readdir(own), await readdir(locked)]).toEqual([
      [],
      ["sst"],
      ["LOCK"],
    ]);

    const disk = new NodeDisk(absent);
    await fail(disk);
    expect((await readdir(work)).sort()).toEqual(["empty", "locked", "own"]);
    await write(engine, source, disk); // a disk that was given can be used again
    const copy = await Engine.open({}, disk);
    expect(await copy.count()).toBe(ENTRIES);
    await copy.close();
    await engine.close();
  });

  it("has a LOCK behind a failure of the disk only if something else is left there too", async () => {
    const source = new SimDisk();
    const engine = await filled(source);
    const whole = new SimDisk();
    await write(engine, source, whole);
    const kinds = ["disk-full", "fsync-failed", "io-error"] as const satisfies FaultRule["kind"][];
    let removed = 0;
    for (let at = 0; at < whole.nextOperation; at++) {
      for (const kind of kinds) {
        const target = new SimDisk({ faults: [{ at, kind }] });
        const result = await Promise.allSettled([write(engine, source, target)]);
        if (result[0].status === "fulfilled") continue;
        for (const survive of ["everything", "nothing", "random"] as const) {
          const left = target.fork();
          left.crash({ survive });
          const files = [...(await left.list("sst")), ...(await left.list("manifest"))];
          const hasLock = (await left.list("")).some(({ path }) => path === "LOCK");
          if (survive === "everything")
            expect(hasLock, `${kind} at ${at}: ${files.map(({ path }) => path)}`).toBe(files.length > 0);
          if (files.length > 0) expect(hasLock, `${kind} at ${at}, ${survive}`).toBe(true);
          if (!hasLock) removed++;
          await write(engine, source, left); // and it can be tried again
        }
      }
    }
    expect(removed).toBeGreaterThan(whole.nextOperation);
    await engine.close();
  });
});

describe("a directory that a backup goes into", () => {
  it("may hold a store that was never written to, lost+found and empty directories", async () => {
    const engine = await filled();
    const dir = await directories.make();
    await (await Engine.open({ dataDir: dir })).close();
    for (const name of ["lost+found", "sst", "wal"]) await mkdir(join(dir, name));
    await writeFile(join(dir, "lost+found", "#12"), "of the file system");
    expect(await engine.backup(dir)).toMatchObject({ lsn: ENTRIES });
    const copy = await Engine.open({ dataDir: dir });
    expect(await copy.count()).toBe(ENTRIES);
    await copy.close();
    await engine.close();
  });

  it("may hold the unfinished manifest of a first opening whose LOCK a power cut took", async () => {
    const engine = await filled();
    for (const bytes of [0, 76, 5000]) {
      const target = new SimDisk();
      const session = target.session();
      const file = await session.open("manifest/0000000000000001.manifest.tmp", { create: true });
      if (bytes > 0) await file.append([new Uint8Array(bytes).fill(bytes)]);
      await file.close();
      target.crash({ survive: "everything" });
      target.addFault({ at: target.nextOperation + 8, kind: "io-error" });
      await rejection("KAYA_IO", engine.backup(target));
      target.crash();
      expect(await engine.backup(target)).toMatchObject({ lsn: ENTRIES });
      target.crash();
      const copy = await Engine.open({}, target);
      expect(await copy.count()).toBe(ENTRIES);
      await copy.close();
    }
    await engine.close();
  });

  it("is not touched where it holds something: neither its LOCK nor what that says", async () => {
    const engine = await filled();
    const dir = await directories.make();
    const there = await filled(new NodeDisk(dir) as unknown as SimDisk);
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(dir));
    await there.close();
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(dir));
    const lock = await new NodeDisk(dir).lock("LOCK");
    expect(lock.cleanStart).toBe(true);
    expect(lock.mark).toBeDefined();
    await lock.release();

    const foreign = await directories.make();
    await writeFile(join(foreign, "LOCK"), "");
    await writeFile(join(foreign, "CURRENT"), "MANIFEST-000001\n");
    const error = await rejection("KAYA_INVALID_ARGUMENT", engine.backup(foreign));
    expect(error.message).toContain("CURRENT");
    const entries = await new NodeDisk(foreign).list("");
    expect(entries.map(({ path, length }) => [path, length])).toEqual([
      ["CURRENT", 16],
      ["LOCK", 0],
    ]);
    await engine.close();
  });
});
