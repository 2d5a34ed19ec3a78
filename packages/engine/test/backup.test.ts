import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Disk, type FaultRule, SimDisk } from "@kaya/io";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type BackupProgress, Engine, KayaError, type PartialEngineConfig } from "../src/index.js";
import { holdUp, InterceptedDisk, type Operation, stopBefore } from "./support/intercepted-disk.js";
import { mountTmpfs } from "./support/mounted-tmpfs.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { entriesOf, latin1, rejection } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const directories = temporaryDirectories();
afterAll(() => directories.remove());

const isTable = (path: string) => path.startsWith("sst/") && path.endsWith(".sst");

/** Nothing is flushed or merged but by the test. */
const BY_HAND: PartialEngineConfig = { tables: { autoFlush: false, autoCompact: false } };

async function open(disk?: Disk, config: PartialEngineConfig = {}): Promise<Engine> {
  return Engine.open({ ...BY_HAND, ...config }, disk ?? new SimDisk());
}

/** `entries` keys of a name, in one batch. */
async function fill(engine: Engine, name: string, entries = 20): Promise<void> {
  const keys = Array.from({ length: entries }, (_, i) => `${name} ${String(i).padStart(6, "0")}`);
  await engine.batch(keys.map((key) => ({ type: "put", key, value: "x".repeat(100) })));
}

/** With two tables, and more in memory. */
async function filled(disk?: Disk): Promise<Engine> {
  const engine = await open(disk);
  for (const name of ["a", "b"]) {
    await fill(engine, name);
    await engine.flush();
  }
  await engine.delete("a 000003");
  await engine.clear({ gte: "b 000010", lt: "b 000015" });
  await fill(engine, "c");
  return engine;
}

type State = readonly (readonly [string, string])[];

const stateOf = (engine: Engine): Promise<State> => entriesOf(engine.scan());

async function stateIn(disk: Disk | string): Promise<State> {
  const engine =
    typeof disk === "string" ? await Engine.open({ ...BY_HAND, dataDir: disk }) : await open(disk);
  try {
    return await stateOf(engine);
  } finally {
    await engine.close();
  }
}

const namesIn = async (disk: Disk, dir: string): Promise<string[]> =>
  (await disk.list(dir)).map(({ path }) => path);

/** Nothing of a tree is there. */
async function expectNothing(disk: Disk, where?: string): Promise<void> {
  expect([await namesIn(disk, "sst"), await namesIn(disk, "manifest")], where).toEqual([[], []]);
}

describe("a backup", () => {
  it("opens as a data directory by itself, with what was there when it began", async () => {
    const engine = await filled();
    await engine.put("relaxed", "1", { durability: "relaxed" });
    const before = await stateOf(engine);
    const { lastLsn: lsn, lastSequence: sequence } = engine.stats();
    const target = new SimDisk();
    const gate = holdUp(target, ({ kind }) => kind === "append");
    const running = engine.backup(gate.disk);
    await gate.held;
    await engine.put("later", "1");
    await engine.flush();
    await engine.compact();
    gate.release();
    const result = await running;
    expect(result).toMatchObject({ lsn, sequence, tables: 3, copiedTables: 3 });
    expect(result.copiedBytes).toBe(result.bytes);
    target.crash(); // it was durable
    const copy = await open(target);
    expect(await stateOf(copy)).toEqual(before);
    expect(copy.lastRecovery).toMatchObject({
      recordCount: 0,
      tables: { covered: { lsn, sequence }, tables: 3 },
    });
    expect(await copy.put("own", "1")).toMatchObject({ lsn: lsn + 1, sequence: sequence + 1, durable: true });
    await copy.close();
    const again = await open(target);
    expect(latin1((await again.get("own")) as Uint8Array)).toBe("1");
    await again.close();
    await engine.close();
  });

  it("has what is being flushed once, wherever the flush is", async () => {
    const places: ((operation: Operation) => boolean)[] = [
      ({ kind, path }) => kind === "append" && isTable(path),
      ({ kind, path }) => kind === "append" && path.startsWith("manifest/"),
      ({ kind, path }) => kind === "remove" && path.endsWith(".wal"),
    ];
    for (const holds of places) {
      let isHolding = false;
      const gate = holdUp(new SimDisk(), (operation) => isHolding && holds(operation));
      const engine = await filled(gate.disk);
      isHolding = true;
      const flush = engine.flush();
      await gate.held;
      await fill(engine, "d");
      const before = await stateOf(engine);
      const target = new SimDisk();
      await engine.backup(target);
      expect(await stateIn(target)).toEqual(before);
      gate.release();
      await flush;
      await engine.close();
    }
  });

  it("of an empty engine is one, and any backup may take its place", async () => {
    const engine = await open();
    const target = new SimDisk();
    expect(await engine.backup(target)).toMatchObject({ lsn: 0, sequence: 0, tables: 0, bytes: 0 });
    await fill(engine, "a");
    expect(await engine.backup(target)).toMatchObject({ lsn: 1, tables: 1 });
    await engine.close();
    const copy = await open(target);
    expect(await copy.put("a", "1")).toMatchObject({ lsn: 2, sequence: 21 });
    await copy.close();
  });

  it("is made by an engine that only looks, that failed, and whose disk is full", async () => {
    const source = new SimDisk();
    const engine = await filled(source);
    const before = await stateOf(engine);
    const looking = await open(source, { readOnly: true });
    await engine.flush();
    await engine.compact(); // the files that it looks at are gone
    const seen = new SimDisk();
    await looking.backup(seen);
    expect(await stateIn(seen)).toEqual(before);
    await looking.close();

    source.addFault({ at: source.nextOperation, kind: "disk-full" });
    const onFull = new SimDisk();
    await engine.backup(onFull);
    expect(await stateIn(onFull)).toEqual(before);
    await rejection("KAYA_DISK_FULL", engine.put("no", "room"));

    source.addFault({ at: source.nextOperation + 1, kind: "fsync-failed" });
    await rejection("KAYA_FSYNC_FAILED", engine.put("lost", "1"));
    expect(engine.state).toBe("failed");
    const ofFailed = new SimDisk();
    await engine.backup(ofFailed);
    expect(await stateIn(ofFailed)).toEqual(before);
    await engine.close().catch(() => undefined);
  });

  it("tells of its progress, and ends when it is told to, leaving nothing; the directory can be used again", async () => {
    const engine = await open();
    await fill(engine, "a", 20_000);
    await engine.flush();
    await fill(engine, "b", 20_000);
    const target = new SimDisk();
    const abort = new AbortController();
    const told: BackupProgress[] = [];
    const running = engine.backup(target, {
      signal: abort.signal,
      onProgress: (progress) => {
        told.push(progress);
        if (told.length === 3) abort.abort(new Error("enough"));
      },
    });
    await expect(running).rejects.toThrow("enough");
    await expectNothing(target);
    await expect(engine.backup(target, { signal: abort.signal })).rejects.toThrow("enough");
    told.length = 0;
    const { bytes } = await engine.backup(target, { onProgress: (progress) => told.push(progress) });
    expect(told.map((each) => each.bytes)).toEqual(told.map((each) => each.bytes).toSorted((a, b) => a - b));
    expect(told.at(-1)).toEqual({ bytes, totalBytes: bytes, copiedTables: 2, reusedTables: 0 });
    await engine.close();
  });

  it("ends with the engine, and leaves nothing", async () => {
    const engine = await filled();
    const target = new SimDisk();
    const gate = holdUp(target, ({ kind, path }) => kind === "sync" && isTable(path));
    const running = engine.backup(gate.disk);
    await gate.held;
    const closing = engine.close();
    gate.release();
    await rejection("KAYA_CLOSED", running);
    await closing;
    await expectNothing(target);
  });

  it("that does not read back as it was written is refused, and taken away", async () => {
    const engine = await filled();
    const target = new SimDisk();
    let flips = 0;
    const once = new InterceptedDisk(target, ({ kind, path }) => {
      if (kind === "sync" && isTable(path) && ++flips === 2) target.flipBit(path, 20, 1);
      return undefined;
    });
    const { message } = await rejection("KAYA_CORRUPTION", engine.backup(once));
    expect(message).toContain("it does not read back as it was written");
    await expectNothing(target);
    await engine.close();
  });

  it("of damaged data is refused with file and offset, and leaves nothing", async () => {
    const source = new SimDisk();
    const engine = await filled(source);
    const [, damaged] = (await namesIn(source, "sst")).filter(isTable) as [string, string];
    const target = new SimDisk();
    await engine.backup(target);
    const before = await stateOf(engine);
    const { length } = source.readFile(damaged) as Uint8Array;
    source.flipBit(damaged, 30, 2);
    const { message } = await rejection("KAYA_CORRUPTION", engine.backup(new SimDisk()));
    expect(message).toContain(`${damaged} is damaged at offset 0`);
    const fresh = new SimDisk();
    await rejection("KAYA_CORRUPTION", engine.backup(fresh));
    await expectNothing(fresh);
    // An earlier backup has the table whole.
    expect(await engine.backup(target)).toMatchObject({ copiedTables: 1 });
    expect(await stateIn(target)).toEqual(before);
    expect(length).toBeGreaterThan(30);
    await engine.close();
  });
});

describe("a second backup into the same directory", () => {
  it("copies only tables that are new, and goes on from the same store after it was opened again", async () => {
    const source = new SimDisk();
    let engine = await filled(source);
    const target = new SimDisk();
    expect(await engine.backup(target)).toMatchObject({ tables: 3, copiedTables: 3 });
    for (let round = 0; round < 4; round++) {
      await engine.flush();
      await fill(engine, `round ${round}`);
      const told: BackupProgress[] = [];
      const result = await engine.backup(target, { onProgress: (progress) => told.push(progress) });
      // The table of the last flush, and what is in memory.
      expect(result).toMatchObject({ tables: 4 + round, copiedTables: 2 });
      expect(result.copiedBytes).toBeLessThan(result.bytes);
      expect(told.at(-1)).toMatchObject({
        bytes: result.bytes,
        totalBytes: result.bytes,
        reusedTables: 2 + round,
      });
      const now = await stateOf(engine);
      expect((await namesIn(target, "sst")).length).toBe(4 + round);
      target.crash();
      expect(await stateIn(target.fork())).toEqual(now);
      await engine.close();
      engine = await open(source);
    }
    await engine.compact();
    const now = await stateOf(engine);
    expect(await engine.backup(target)).toMatchObject({ tables: 1, copiedTables: 1 });
    expect(await stateIn(target)).toEqual(now);
    await engine.close();
  });

  it("copies a table anew whose copy is damaged", async () => {
    const engine = await filled();
    const target = new SimDisk();
    await engine.backup(target);
    for (let nth = 0; nth < 3; nth++) {
      target.flipBit((await namesIn(target, "sst"))[nth] as string, 25, 1);
      await engine.backup(target);
      expect(await stateIn(target.fork())).toEqual(await stateOf(engine));
    }
    await engine.close();
  });

  it("goes on after a recovery that cut the log, and shows what is there now", async () => {
    const source = new SimDisk();
    const engine = await filled(source);
    const target = new SimDisk();
    await engine.put("relaxed", "is in the backup", { durability: "relaxed" });
    await engine.backup(target);
    source.crash({ survive: "nothing" });
    const again = await open(source);
    expect(await again.get("relaxed")).toBeUndefined();
    await again.put("instead", "1");
    await again.backup(target);
    expect(await stateIn(target)).toEqual(await stateOf(again));
    await again.close();
  });

  it("of a store that goes on from the backup is one of the same store", async () => {
    const engine = await filled();
    const first = new SimDisk();
    await engine.backup(first);
    const target = new SimDisk();
    const restored = await open(first, { readOnly: true });
    await restored.backup(target); // a backup of the backup
    await restored.close();
    const live = await open(first);
    await live.put("own", "1");
    expect(await live.backup(target)).toMatchObject({ copiedTables: 1 });
    expect(await stateIn(target)).toEqual(await stateOf(live));
    await live.close();
    await engine.close();
  });

  it("is refused over another store's backup, over one that was written to, and over a store; nothing is changed", async () => {
    const engine = await filled();
    const other = await open();
    await fill(other, "other");
    const others = new SimDisk();
    await other.backup(others);
    const written = new SimDisk();
    await engine.backup(written);
    const copy = await open(written);
    await copy.put("own", "1");
    await copy.close();
    const flushed = new SimDisk();
    await engine.backup(flushed);
    const second = await open(flushed);
    await second.put("own", "1");
    await second.flush();
    await second.close();
    const store = new SimDisk();
    await (await filled(store)).close();
    const cases: [SimDisk, string][] = [
      [others, "is of another store"],
      [written, "was opened and written to"],
      [flushed, "it holds a store that is no backup"],
      [store, "it holds a store that is no backup"],
    ];
    for (const [target, why] of cases) {
      const before = [target.nextOperation, target.stateDigest("everything")];
      const { message } = await rejection("KAYA_INVALID_ARGUMENT", engine.backup(target));
      expect(message).toContain(why);
      expect(message).toContain("Nothing was changed.");
      expect([target.nextOperation, target.stateDigest("everything")]).toEqual(before);
    }
    await other.close();
    await engine.close();
  });

  it("takes one that was opened and not written to for what it is", async () => {
    const engine = await filled();
    const target = new SimDisk();
    await engine.backup(target);
    const copy = await Engine.open({}, target);
    await copy.close();
    await fill(engine, "later");
    await engine.backup(target);
    expect(await stateIn(target)).toEqual(await stateOf(engine));
    await engine.close();
  });
});

describe("a backup beside the log that it was made of", () => {
  it("is refused", async () => {
    const source = new SimDisk();
    const engine = await filled(source);
    const target = new SimDisk();
    await engine.backup(target);
    await engine.close();
    for (const { path } of await target.list("sst"))
      source.writeFile(path, target.readFile(path) as Uint8Array);
    const manifest = (await namesIn(target, "manifest"))[0] as string;
    for (const path of await namesIn(source, "manifest")) source.removeDurably(path);
    source.writeFile(manifest, target.readFile(manifest) as Uint8Array);
    const { message } = await rejection("KAYA_CORRUPTION", open(source));
    expect(message).toContain("files of two stores");
  });
});

describe("a backup that is killed", () => {
  it("at any operation leaves nothing that opens, or all; the next one goes over what it left", async () => {
    const engine = await filled();
    const before = await stateOf(engine);
    const probe = new SimDisk();
    await engine.backup(probe);
    const outcomes = new Set<string>();
    for (let at = 0; at < probe.nextOperation; at++) {
      for (const end of ["kill", "nothing", "everything", "random"] as const) {
        const target = new SimDisk();
        const process = stopBefore(at, target);
        const running = engine.backup(process.disk);
        running.catch(() => undefined);
        await Promise.race([running, process.stopped]);
        if (end === "kill") target.killProcess();
        else target.crash({ survive: end });
        const hasTables = (await namesIn(target, "sst")).length > 0;
        const opened = await stateIn(target.fork()).catch((error: unknown) => error);
        if (KayaError.is(opened)) {
          expect(opened.code).toBe("KAYA_CORRUPTION");
          outcomes.add("refused");
        } else if ((opened as State).length === 0) {
          expect(hasTables, `operation ${at}, ${end}`).toBe(false);
          outcomes.add("nothing");
        } else {
          expect(opened, `operation ${at}, ${end}`).toEqual(before);
          outcomes.add("whole");
        }
        await engine.backup(target);
        target.crash({ survive: "nothing" });
        expect(await stateIn(target), `operation ${at}, ${end}`).toEqual(before);
      }
    }
    expect([...outcomes].sort()).toEqual(["nothing", "refused", "whole"]);
    await engine.close();
  });

  it("leaves the earlier one in that directory whole, or is whole itself", async () => {
    const engine = await filled();
    const first = new SimDisk();
    await engine.backup(first);
    const before = await stateOf(engine);
    await engine.flush();
    await engine.compact();
    await fill(engine, "later");
    const after = await stateOf(engine);
    const probe = first.fork();
    const begin = probe.nextOperation;
    await engine.backup(probe);
    const outcomes = new Set<string>();
    for (let at = begin; at < probe.nextOperation; at++) {
      for (const end of ["kill", "nothing", "everything", "random"] as const) {
        const target = first.fork();
        const process = stopBefore(target.nextOperation + at - begin, target);
        const running = engine.backup(process.disk);
        running.catch(() => undefined);
        await Promise.race([running, process.stopped]);
        if (end === "kill") target.killProcess();
        else target.crash({ survive: end });
        const state = JSON.stringify(await stateIn(target.fork()));
        expect([JSON.stringify(before), JSON.stringify(after)], `operation ${at}, ${end}`).toContain(state);
        outcomes.add(state === JSON.stringify(before) ? "first" : "second");
        await engine.backup(target);
        expect(await stateIn(target)).toEqual(after);
      }
    }
    expect(outcomes.size).toBe(2);
    await engine.close();
  });

  it("is told from tables that only look like what it leaves: those are not touched", async () => {
    const engine = await filled();
    const once = new SimDisk(); // it was whole once
    await engine.backup(once);
    for (const path of await namesIn(once, "manifest")) once.removeDurably(path);
    const killed = new SimDisk();
    const process = stopBefore(9, killed);
    engine.backup(process.disk).catch(() => undefined);
    await process.stopped;
    killed.killProcess();
    expect((await namesIn(killed, "sst")).length).toBeGreaterThan(0);
    const unlocked = killed.fork(); // nobody locked it
    unlocked.removeDurably("LOCK");
    const beside = killed.fork(); // there is something else
    beside.writeFile("consumers", new Uint8Array(1));
    for (const [target, why] of [
      [once, "it holds tables that no manifest names"],
      [unlocked, "it holds tables that no manifest names"],
      [beside, "it holds consumers"],
    ] as const) {
      const before = target.stateDigest("everything");
      const { message } = await rejection("KAYA_INVALID_ARGUMENT", engine.backup(target));
      expect(message).toContain(why);
      expect(target.stateDigest("everything")).toBe(before);
    }
    await engine.backup(killed);
    expect(await stateIn(killed)).toEqual(await stateOf(engine));
    await engine.close();
  });
});

describe("a backup that fails", () => {
  it("at any operation leaves nothing that opens, or the earlier one, and can be tried again", async () => {
    const engine = await filled();
    const kinds: readonly FaultRule["kind"][] = ["disk-full", "fsync-failed", "io-error", "partial-write"];
    for (const earlier of [false, true]) {
      const first = new SimDisk();
      if (earlier) {
        await engine.backup(first);
        await engine.flush();
        await fill(engine, "later");
      }
      const before = earlier ? await stateIn(first.fork()) : undefined;
      const now = await stateOf(engine);
      const probe = first.fork();
      const begin = probe.nextOperation;
      await engine.backup(probe);
      let failures = 0;
      for (let n = 0; n < probe.nextOperation - begin; n++) {
        for (const kind of kinds) {
          const target = first.fork();
          const at = target.nextOperation + n;
          target.addFault(kind === "partial-write" ? { at, kind, bytes: 7 } : ({ at, kind } as FaultRule));
          const failed = await engine.backup(target).then(
            () => false,
            () => true,
          );
          if (!failed) continue;
          failures++;
          for (const survive of ["everything", "nothing", "random"] as const) {
            const left = target.fork();
            left.crash({ survive });
            if (before !== undefined) expect(await stateIn(left), `${kind} at ${n}`).toEqual(before);
            else if ((await namesIn(left, "sst")).length > 0) await rejection("KAYA_CORRUPTION", open(left));
            else expect(await stateIn(left)).toEqual([]);
          }
          await engine.backup(target);
          expect(await stateIn(target)).toEqual(now);
        }
      }
      expect(failures).toBeGreaterThan(probe.nextOperation - begin);
    }
    await engine.put("still", "works");
    await engine.close();
  });
});

describe("where a backup may not go", () => {
  it("is told before anything is written", async () => {
    const engine = await open();
    await fill(engine, "a");
    const dir = await directories.make();
    const there = await Engine.open({ dataDir: dir });
    await there.put("a", "1");
    await there.close();
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(dir));
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(""));
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(7 as unknown as string));
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(new SimDisk(), { progress: 1 } as object));
    expect(existsSync(join(dir, "sst"))).toBe(false);
    await engine.close();
    await rejection("KAYA_CLOSED", engine.backup(new SimDisk()));
  });

  it("is the source, a directory in it, and one that holds it, under whatever name", async () => {
    const outer = await directories.make();
    const dataDir = join(outer, "data");
    const engine = await Engine.open({ dataDir });
    await fill(engine, "a");
    await engine.flush();
    for (const inside of [dataDir, join(dataDir, "wal", "new"), `${dataDir}/x/../y`]) {
      const { message } = await rejection("KAYA_INVALID_ARGUMENT", engine.backup(inside));
      expect(message).toContain("is in");
    }
    await rejection("KAYA_INVALID_ARGUMENT", engine.backup(outer));
    await engine.close();
  });

  const mounted = mountTmpfs("4m");
  afterAll(() => mounted?.unmount());
  it.skipIf(mounted === undefined)("is the source under a bind mount", async () => {
    const dataDir = join(mounted?.path as string, "data");
    const engine = await Engine.open({ dataDir });
    await fill(engine, "a");
    for (const below of ["", "wal"]) {
      const alias = await directories.make();
      const mount = spawn("mount", ["--bind", join(dataDir, below), alias]);
      expect((await once(mount, "close"))[0]).toBe(0);
      try {
        for (const path of [alias, join(alias, "copy")]) {
          const { message } = await rejection("KAYA_INVALID_ARGUMENT", engine.backup(path));
          expect(message).toContain("is in");
        }
      } finally {
        await once(spawn("umount", [alias]), "close");
      }
    }
    await engine.close();
  });
});

describe("on the real disk", () => {
  it("goes into a directory that it makes, and again with what is new; a copy of it is a store", async () => {
    const dataDir = await directories.make();
    const dir = join(await directories.make(), "a", "backup");
    const engine = await Engine.open({ ...BY_HAND, dataDir });
    await fill(engine, "a", 1000);
    await engine.flush();
    await engine.backup(dir);
    const tables = await readdir(join(dir, "sst"));
    const { ino } = await stat(join(dir, "sst", tables[0] as string));
    await fill(engine, "b", 1000);
    expect(await engine.backup(dir)).toMatchObject({ tables: 2, copiedTables: 1 });
    expect((await stat(join(dir, "sst", tables[0] as string))).ino).toBe(ino);
    const restored = join(await directories.make(), "restored");
    await cp(dir, restored, { recursive: true });
    expect(await stateIn(restored)).toEqual(await stateOf(engine));
    await engine.close();
  });

  it("survives the kill of a process in an incremental backup", async () => {
    const script = fileURLToPath(new URL("./support/backup-process.mjs", import.meta.url));
    const [dataDir, target] = [await directories.make(), join(await directories.make(), "backup")];
    let backups = 0;
    for (let life = 0; life < 6; life++) {
      const child = spawn(process.execPath, [script, dataDir, target], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let output = "";
      child.stdout.on("data", (chunk) => {
        output += chunk;
      });
      const closed = once(child, "close");
      while (output.split("\n").length < 4) await sleep(5);
      await sleep(37 * life);
      child.kill("SIGKILL");
      await closed;
      const lines = output.split("\n").slice(0, -1);
      const done = lines.filter((line) => line.startsWith("backup"));
      backups += done.length;
      // What is there is at least what the last one said that resolved, and a state that there was: keys without a gap.
      const engine = await Engine.open({ dataDir: target, readOnly: true });
      const keys: number[] = [];
      for await (const { key } of engine.scan()) keys.push(Number(latin1(key)));
      await engine.close();
      expect(keys).toEqual(keys.map((_, i) => i));
      expect(keys.length).toBeGreaterThanOrEqual(Number(done.at(-1)?.split(" ")[1]));
    }
    expect(backups).toBeGreaterThanOrEqual(18);
  });

  const small = mountTmpfs("1m");
  afterAll(() => small?.unmount());
  it.skipIf(small === undefined)("leaves the earlier one where the target's disk is full", async () => {
    const dataDir = await directories.make();
    const engine = await Engine.open({ ...BY_HAND, dataDir });
    await engine.put("first", new Uint8Array(256 * 1024));
    const into = join(small?.path as string, "copy");
    await engine.backup(into);
    const before = await stateOf(engine);
    for (let i = 0; i < 4; i++) await engine.put(`key ${i}`, new Uint8Array(512 * 1024));
    await rejection("KAYA_DISK_FULL", engine.backup(into));
    expect((await readdir(join(into, "sst"))).length).toBe(1);
    expect(await stateIn(into)).toEqual(before);
    await engine.close();
  });

  it("leaves directories of somebody else alone", async () => {
    const engine = await open();
    await fill(engine, "a");
    for (const [name, content] of [
      ["sst/notes.txt", "mine"],
      ["manifest/CURRENT", "mine"],
      ["readme", "mine"],
    ] as const) {
      const dir = await directories.make();
      await mkdir(join(dir, "sst"));
      await mkdir(join(dir, "manifest"));
      await writeFile(join(dir, name), content);
      const { message } = await rejection("KAYA_INVALID_ARGUMENT", engine.backup(dir));
      expect(message).toContain(`it holds ${name}`);
      expect(await readFile(join(dir, name), "utf8")).toBe(content);
      expect(existsSync(join(dir, "LOCK"))).toBe(false);
    }
    await engine.close();
  });
});
