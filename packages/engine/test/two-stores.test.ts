import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Engine, recover, recoverTo } from "../src/index.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { entriesOf, rejection } from "./support/text.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

const SEGMENT = "wal/0000000000000001.wal";

async function write(engine: Engine, prefix: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await engine.put(`${prefix}${n}`, prefix);
}

/** A closed store with so many entries, and a table without the last of them if that is wanted. */
async function store(prefix: string, count: number, withTable = false): Promise<string> {
  const dataDir = await directories.make();
  const engine = await Engine.open({ dataDir });
  await write(engine, prefix, count - 1);
  if (withTable) await engine.flush();
  await write(engine, `${prefix}last`, 1);
  await engine.close();
  return dataDir;
}

async function backupOf(dataDir: string): Promise<string> {
  const into = join(await directories.make(), "backup");
  const engine = await Engine.open({ dataDir });
  await engine.backup(into);
  await engine.close();
  return into;
}

async function refuses(dataDir: string): Promise<void> {
  for (const attempt of [
    () => Engine.open({ dataDir }),
    () => Engine.open({ dataDir, wal: { recovery: "prefix" } }),
    () => recover({ dataDir }),
    () => recover({ dataDir }, undefined, { dryRun: true }),
  ]) {
    const { message } = await rejection("KAYA_CORRUPTION", attempt());
    expect(message).toContain("this directory holds files of two stores");
    expect(message).toContain("Nothing was changed");
    expect(message).toContain("put it into an empty directory");
  }
}

describe("a backup that is copied over", () => {
  it.each([
    ["its own directory, which is newer", "old", false],
    ["its own directory, which has a newer table", "old", true],
    ["the directory of another store", "other", false],
    ["the directory of another store with a table", "other", true],
  ])("%s is refused", async (_what, kind, withTable) => {
    const source = await store("old", 5);
    const backup = await backupOf(source);
    const dataDir = kind === "old" ? source : await store("other", 8);
    const engine = await Engine.open({ dataDir });
    await write(engine, "newer", 3);
    if (withTable) await engine.flush();
    await write(engine, "last", 2);
    await engine.close();
    await cp(backup, dataDir, { recursive: true });
    await refuses(dataDir);
    await rejection(
      "KAYA_CORRUPTION",
      recoverTo({ dataDir }, { lsn: 6, into: join(await directories.make(), "x") }),
    );
    // What the message advises: the backup in a directory of its own opens as what it was.
    const alone = join(await directories.make(), "alone");
    await cp(backup, alone, { recursive: true });
    const restored = await Engine.open({ dataDir: alone });
    expect(await restored.count()).toBe(5);
    await restored.close();
  });

  it("an empty directory, or one whose log was taken away, opens as what it was, again and again", async () => {
    const source = await store("old", 5);
    const backup = await backupOf(source);
    const emptied = await store("other", 3);
    await rm(join(emptied, SEGMENT));
    for (const dataDir of [await directories.make(), emptied]) {
      await cp(backup, dataDir, { recursive: true });
      for (let life = 0; life < 3; life++) {
        const engine = await Engine.open({ dataDir });
        expect(engine.stats().entries).toBe(5 + life);
        await engine.put(`life ${life}`, "x");
        if (life === 1) await engine.flush();
        await engine.close();
      }
    }
  });
});

describe("parts of another store", () => {
  it("its log beside the own tables", async () => {
    const dataDir = await store("a", 5, true);
    const other = await store("b", 9, true);
    await rm(join(dataDir, "wal"), { recursive: true });
    await cp(join(other, "wal"), join(dataDir, "wal"), { recursive: true });
    await refuses(dataDir);
  });

  it("its tables, newer or older than the own ones", async () => {
    for (const count of [3, 9]) {
      const dataDir = await store("a", 6, true);
      const other = await store("b", count, true);
      for (const dir of ["manifest", "sst"]) {
        await rm(join(dataDir, dir), { recursive: true });
        await cp(join(other, dir), join(dataDir, dir), { recursive: true });
      }
      await refuses(dataDir);
    }
  });

  it("its LOCK says nothing of this one", async () => {
    const dataDir = await store("a", 5);
    const other = await store("b", 50);
    await cp(join(other, "LOCK"), join(dataDir, "LOCK"));
    const engine = await Engine.open({ dataDir });
    expect(engine.stats().entries).toBe(5);
    expect(engine.lastRecovery.warnings).toEqual([]);
    await engine.close();
  });

  it("its consumers have no place here, and keep nothing", async () => {
    const other = await directories.make();
    const engine = await Engine.open({ dataDir: other });
    await engine.put("a", "1");
    await engine.addConsumer("search");
    await engine.close();
    const dataDir = await store("a", 5);
    await cp(join(other, "consumers"), join(dataDir, "consumers"));
    const mixed = await Engine.open({ dataDir });
    expect(mixed.consumers()).toMatchObject([{ name: "search", isTruncated: true }]);
    await mixed.flush();
    expect(mixed.stats().changes.keptLogBytes).toBe(0);
    await mixed.close();
  });

  it("a log whose id was taken away cannot be told from another: it opens, and gets an id of its own", async () => {
    const dataDir = await store("a", 5, true);
    await rm(join(dataDir, "wal/log-id"));
    for (let life = 0; life < 3; life++) {
      const engine = await Engine.open({ dataDir });
      expect(engine.stats().entries).toBe(5 + life);
      await engine.put(`life ${life}`, "x");
      await engine.changesToken(); // asks for the id
      await engine.close();
    }
  });
});

describe("a store that was closed cleanly", () => {
  const segmentOf = async (dataDir: string) => readFile(join(dataDir, SEGMENT));

  it("is refused where its log was damaged or cut, also by a dry run, until the user says what to keep", async () => {
    for (const damage of ["a flipped bit", "a shorter log"] as const) {
      const dataDir = await store("a", 20);
      const bytes = await segmentOf(dataDir);
      const place = bytes.length >> 2;
      if (damage === "a flipped bit") bytes[place] = (bytes[place] as number) ^ 1;
      await writeFile(join(dataDir, SEGMENT), damage === "a flipped bit" ? bytes : bytes.subarray(0, -150));
      for (const recovery of ["tail", "absolute"] as const) {
        const config = { dataDir, wal: { recovery } };
        const { message } = await rejection("KAYA_CORRUPTION", Engine.open(config));
        expect(message).toContain("LOCK says that the log was closed cleanly with LSN 20");
        await rejection("KAYA_CORRUPTION", recover(config, undefined, { dryRun: true }));
      }
      const kept = await Engine.open({ dataDir, wal: { recovery: "prefix" } });
      expect(kept.lastRecovery.warnings.map(({ kind }) => kind)).toContain("LostSinceClose");
      const entries = await entriesOf(kept.scan());
      await kept.close();
      const again = await Engine.open({ dataDir });
      expect(await entriesOf(again.scan())).toEqual(entries);
      await again.close();
    }
  });

  it("may be cut where a later life ended badly, behind what was there", async () => {
    const dataDir = await store("a", 20);
    const bytes = await segmentOf(dataDir);
    await writeFile(join(dataDir, SEGMENT), Buffer.concat([bytes, bytes.subarray(0, 30)]));
    const engine = await Engine.open({ dataDir });
    expect(engine.stats().entries).toBe(20);
    expect(engine.lastRecovery.truncatedBytes).toBe(30);
    await engine.close();
  });

  it("is not told from a shorter one where its LOCK is gone", async () => {
    const dataDir = await store("a", 20);
    const bytes = await segmentOf(dataDir);
    await writeFile(join(dataDir, SEGMENT), bytes.subarray(0, -5));
    await rm(join(dataDir, "LOCK"));
    const engine = await Engine.open({ dataDir });
    expect(engine.stats().entries).toBe(19);
    await engine.close();
  });
});
