import { execFileSync } from "node:child_process";
import { chmod, chown, mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { KayaError } from "@kaya/core";
import { NodeDisk, SimDisk } from "@kaya/io";
import { afterAll, describe, expect, it, vi } from "vitest";
import { Engine } from "../src/index.js";
import { InterceptedDisk } from "./support/intercepted-disk.js";
import { mountTmpfs } from "./support/mounted-tmpfs.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { entriesOf, keysOf, rejection, text } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const READ_ONLY = { readOnly: true } as const;

const directories = temporaryDirectories();
afterAll(() => directories.remove());

/** A store with a table, a log behind it, and a consumer; the process was killed, and the last record is torn. */
async function killedStore(): Promise<SimDisk> {
  const disk = new SimDisk();
  const engine = await Engine.open({}, disk);
  await engine.put("a", "1");
  await engine.addConsumer("index");
  await engine.flush();
  await engine.put("b", "2");
  await engine.put("torn", "3");
  disk.killProcess();
  const tail = (await disk.list("wal")).findLast(({ path }) => path.endsWith(".wal"));
  if (tail === undefined) throw new Error("there is no segment");
  disk.truncateDurably(tail.path, tail.length - 3);
  return disk;
}

describe("an engine that is opened read-only", () => {
  it("gives all reads, and says what an opening would do", async () => {
    const engine = await Engine.open(READ_ONLY, await killedStore());
    expect(await entriesOf(engine.scan())).toEqual([
      ["a", "1"],
      ["b", "2"],
    ]);
    expect(text(await engine.get("a"))).toBe("1");
    expect((await engine.getEntry("b")).sequence).toBe(2);
    expect((await engine.getMany(["b", "c"])).map((value) => text(value))).toEqual(["2", undefined]);
    expect(await engine.has("torn")).toBe(false);
    const snapshot = engine.snapshot();
    expect(await keysOf(snapshot.scan({ reverse: true }))).toEqual(["b", "a"]);
    snapshot.close();
    expect(engine.consumers().map(({ name, isTruncated }) => [name, isTruncated])).toEqual([
      ["index", false],
    ]);
    expect(engine.stats()).toMatchObject({ state: "open", entries: 2, lastLsn: 2, tables: { tables: 1 } });
    expect(engine.stats().changes).toMatchObject({ consumers: 1, feeds: 0 });
    expect(engine.lastRecovery).toMatchObject({ dryRun: true, recordCount: 1, quarantined: [] });
    expect(engine.lastRecovery.truncatedBytes).toBeGreaterThan(0);
    await engine.close();
    await rejection("KAYA_CLOSED", engine.get("a"));
  });

  it("changes nothing, takes no lock, and asks the disk for nothing that could change it", async () => {
    const disk = await killedStore();
    const before = disk.stateDigest("everything");
    const seen = disk.events.length;
    const engine = await Engine.open(READ_ONLY, disk);
    await keysOf(engine.scan());
    await engine.close();
    const kinds = new Set(disk.events.slice(seen).map(({ kind, index }) => `${kind}${index ?? ""}`));
    expect([...kinds].sort()).toEqual(["close", "length", "list", "open", "readAt"]);
    expect(disk.stateDigest("everything")).toBe(before);
  });

  it("refuses everything that would write or wait for a write", async () => {
    const engine = await Engine.open(READ_ONLY, await killedStore());
    const refused = [
      engine.put("x", "1"),
      engine.delete("a"),
      engine.batch([{ type: "put", key: "x", value: "1" }]),
      engine.clear(),
      engine.flush(),
      engine.changesToken(),
      engine.addConsumer("other"),
      engine.removeConsumer("index"),
      engine.sync(),
    ];
    for (const promise of refused) await rejection("KAYA_READ_ONLY", promise);
    expect(() => engine.changes()).toThrow(expect.objectContaining({ code: "KAYA_READ_ONLY" }));
    expect(engine.state).toBe("open");
    expect(await keysOf(engine.scan())).toEqual(["a", "b"]);
    await engine.close();
  });

  it("writes a backup into another place", async () => {
    const engine = await Engine.open(READ_ONLY, await killedStore());
    const target = new SimDisk();
    expect((await engine.backup(target)).lsn).toBe(2);
    await engine.close();
    const copy = await Engine.open({}, target);
    expect(await keysOf(copy.scan())).toEqual(["a", "b"]);
    await copy.close();
  });

  it("refuses what an opening refuses", async () => {
    const disk = await killedStore();
    const table = (await disk.list("sst"))[0]?.path ?? "";
    disk.truncateDurably(table, 70);
    await rejection("KAYA_CORRUPTION", Engine.open(READ_ONLY, disk));
  });

  it("shows what was there when it was opened, beside an engine that writes", async () => {
    const disk = new SimDisk();
    const writer = await Engine.open({ wal: { segmentMaxBytes: 400, maxRecordBytes: 400 } }, disk);
    for (let n = 0; n < 20; n++) await writer.put(`a${n}`, "x".repeat(50));
    const looker = await Engine.open(READ_ONLY, disk);
    await writer.put("later", "1");
    await writer.flush();
    expect(await keysOf(looker.scan())).toHaveLength(20);
    await looker.close();
    await writer.put("last", "1");
    const again = await Engine.open(READ_ONLY, disk);
    expect(await keysOf(again.scan())).toHaveLength(22);
    expect(again.lastRecovery.warnings).toEqual([]);
    await again.close();
    await writer.close();
  });

  // The log then has one segment without a record: nothing in it says that the tables that were read are not its own.
  it("never shows a state that a flush took the place of while it was reading", async () => {
    const disk = new SimDisk();
    const writer = await Engine.open({}, disk);
    await writer.put("a", "old");
    await writer.flush();
    await writer.put("a", "new");
    let made = 0;
    const between = new InterceptedDisk(disk, ({ kind, path }) => {
      if (kind !== "list" || path !== "wal" || made++ !== 1) return undefined;
      return writer.flush().then(() => undefined);
    });
    const looker = await Engine.open(READ_ONLY, between);
    expect(made).toBeGreaterThan(1);
    expect(text(await looker.get("a"))).toBe("new");
    await looker.close();
    await writer.close();
  });

  it("looks again where an opening took the tail from under it", async () => {
    const disk = await killedStore();
    let opened = false;
    const between = new InterceptedDisk(disk, ({ kind, path }) => {
      if (opened || kind !== "readAt" || !path.endsWith(".wal")) return undefined;
      opened = true;
      return Engine.open({}, disk).then((engine) => engine.close());
    });
    const looker = await Engine.open(READ_ONLY, between);
    expect(opened).toBe(true);
    expect(await keysOf(looker.scan())).toEqual(["a", "b"]);
    await looker.close();
  });

  it("says so where there is no directory, and makes none; an empty one is an empty store", async () => {
    const root = await directories.make();
    const dataDir = join(root, "absent");
    await rejection("KAYA_NOT_FOUND", Engine.open({ dataDir, readOnly: true }));
    expect(await readdir(root)).toEqual([]);
    const engine = await Engine.open({ dataDir: root, readOnly: true });
    expect(await keysOf(engine.scan())).toEqual([]);
    await engine.close();
    expect(await readdir(root)).toEqual([]);
  });

  it("is asked for with true or false", async () => {
    const wrong = { readOnly: "yes" } as unknown as { readOnly: boolean };
    await rejection("KAYA_INVALID_ARGUMENT", Engine.open(wrong, new SimDisk()));
  });
});

async function storeAt(dataDir: string): Promise<void> {
  const engine = await Engine.open({ dataDir });
  await engine.put("a", "1");
  await engine.flush();
  await engine.put("b", "2");
  await engine.close();
}

const tmpfs = mountTmpfs("4m");
afterAll(() => tmpfs?.unmount());

// Where mounting is not permitted this is skipped; the test with another user remains.
it.skipIf(tmpfs === undefined)("opens read-only on a file system that is read-only", async () => {
  if (tmpfs === undefined) return;
  const dataDir = join(tmpfs.path, "data");
  await storeAt(dataDir);
  tmpfs.remount("ro");
  await expect(Engine.open({ dataDir })).rejects.toSatisfy((error) => KayaError.is(error));
  const engine = await Engine.open({ dataDir, readOnly: true });
  expect(await keysOf(engine.scan())).toEqual(["a", "b"]);
  await engine.close();
});

// Only root may run a process as another user.
it.skipIf(process.getuid?.() !== 0)("opens read-only what another user owns (as root)", async () => {
  const root = await directories.make();
  await chmod(root, 0o755);
  const dataDir = join(root, "data");
  await mkdir(dataDir);
  await storeAt(dataDir);
  const engine = new URL("../dist/index.js", import.meta.url).href;
  const script = `
    const { Engine } = await import(${JSON.stringify(engine)});
    const config = { dataDir: ${JSON.stringify(dataDir)} };
    const refused = await Engine.open(config).catch(({ code }) => code);
    const db = await Engine.open({ ...config, readOnly: true });
    const keys = [];
    for await (const { key } of db.scan()) keys.push(Buffer.from(key).toString());
    await db.close();
    console.log(refused, keys.join());`;
  const argv = ["--input-type=module", "-e", script];
  const said = execFileSync(process.execPath, argv, { uid: 12345, gid: 12345, cwd: "/", encoding: "utf8" });
  expect(said.trim()).toBe("KAYA_IO a,b");
});

// Only root may run a process as another user.
it.skipIf(process.getuid?.() !== 0)("a service opens what root recovered for it (as root)", async () => {
  const root = await directories.make();
  await chmod(root, 0o755);
  const dataDir = join(root, "data");
  await mkdir(dataDir);
  await chown(dataDir, 65534, 65534);
  const engine = new URL("../dist/index.js", import.meta.url).href;
  const script = `
    process.umask(0o077);
    const { Engine } = await import(${JSON.stringify(engine)});
    const db = await Engine.open({ dataDir: ${JSON.stringify(dataDir)} });
    await db.put(String(process.pid), "1");
    console.log(db.stats().entries);
    process.kill(process.pid, "SIGKILL");`;
  const serve = () => {
    try {
      execFileSync(process.execPath, ["--input-type=module", "-e", script], {
        uid: 65534,
        gid: 65534,
        cwd: "/",
      });
    } catch (error) {
      return String((error as { stdout: Buffer }).stdout).trim();
    }
    return "was not killed";
  };
  expect(serve()).toBe("1");
  const config = { dataDir, wal: { segmentMaxBytes: 200, maxRecordBytes: 200 } };
  const operator = await Engine.open(config);
  for (let n = 0; n < 5; n++) await operator.put(`root ${n}`, "x".repeat(50));
  await operator.flush();
  await operator.addConsumer("root's");
  await operator.put("behind", "1");
  await operator.close();
  for (const { path, isDirectory } of await allOf(new NodeDisk(dataDir), "")) {
    const stats = await stat(join(dataDir, path));
    const mode = (stats.mode & 0o777).toString(8);
    expect([path, stats.uid, stats.gid, mode]).toEqual([path, 65534, 65534, isDirectory ? "700" : "600"]);
  }
  expect(serve()).toBe("8");
});

async function allOf(disk: NodeDisk, dir: string): Promise<{ path: string; isDirectory: boolean }[]> {
  const entries = await disk.list(dir);
  const below = await Promise.all(
    entries.filter(({ isDirectory }) => isDirectory).map(({ path }) => allOf(disk, path)),
  );
  return [...entries, ...below.flat()];
}
