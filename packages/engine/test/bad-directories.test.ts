import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { Engine, KayaError, recover } from "../src/index.js";
import { type MountedTmpfs, mountTmpfs } from "./support/mounted-tmpfs.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { keysOf, rejection, text } from "./support/text.js";
import { keysOfWrite, WriterProcess } from "./support/writer-process.js";

vi.setConfig({ testTimeout: 120_000 });

const directories = temporaryDirectories();
const mounts: MountedTmpfs[] = [];
const writers: WriterProcess[] = [];
afterAll(async () => {
  await Promise.all(writers.map((writer) => writer.kill()));
  for (const mounted of mounts) mounted.unmount();
  await directories.remove();
});

function mount(size: string): string {
  const mounted = mountTmpfs(size);
  if (mounted === undefined) throw new Error("this test must be skipped where mounting is not permitted");
  mounts.push(mounted);
  return mounted.path;
}

const mayMount = probe();

function probe(): boolean {
  const mounted = mountTmpfs("64k");
  mounted?.unmount();
  return mounted !== undefined;
}

describe("a data directory that is absent", () => {
  it("is made, with all that leads to it", async () => {
    const dataDir = join(await directories.make(), "several", "levels", "deep");
    const engine = await Engine.open({ dataDir });
    await engine.put("key", "value");
    await engine.close();
    const reopened = await Engine.open({ dataDir });
    expect(await keysOf(reopened.scan())).toEqual(["key"]);
    await reopened.close();
  });
});

describe("a data directory that is none", () => {
  it("is refused where it, or what leads to it, is a file, and the file stays as it is", async () => {
    const file = join(await directories.make(), "file");
    await writeFile(file, "not a directory");
    for (const dataDir of [file, join(file, "below"), join(file, "far", "below")]) {
      const error = await rejection("KAYA_INVALID_ARGUMENT", Engine.open({ dataDir }));
      expect(error.message).toContain(file);
      expect(error.message).toContain("a file where a directory must be");
      await rejection("KAYA_INVALID_ARGUMENT", recover({ dataDir }));
      await rejection("KAYA_INVALID_ARGUMENT", recover({ dataDir }, undefined, { dryRun: true }));
    }
    expect(await readFile(file, "utf8")).toBe("not a directory");
  });

  it("is refused where something else has the place of the log or of the lock", async () => {
    const noLog = await directories.make();
    await writeFile(join(noLog, "wal"), "someone else's");
    await rejection("KAYA_INVALID_ARGUMENT", Engine.open({ dataDir: noLog }));
    expect(await readFile(join(noLog, "wal"), "utf8")).toBe("someone else's");
    const noLock = await directories.make();
    await mkdir(join(noLock, "LOCK"));
    await rejection("KAYA_INVALID_ARGUMENT", Engine.open({ dataDir: noLock }));
    expect(await readdir(noLock)).toEqual(["LOCK"]);
  });
});

describe.skipIf(!mayMount)(
  "a read-only file system (skipped where mounting a tmpfs is not permitted)",
  () => {
    it("is refused with KAYA_IO, whether there is data or not; a dry run still reads it", async () => {
      const root = mount("256k");
      const dataDir = join(root, "data");
      const engine = await Engine.open({ dataDir });
      await engine.put("key", "value");
      await engine.close();
      mounts.at(-1)?.remount("ro");
      for (const dir of [dataDir, join(root, "other")]) {
        const { message } = await rejection("KAYA_IO", Engine.open({ dataDir: dir }));
        expect(message).toContain("EROFS");
        expect(message).toContain("read-only");
      }
      expect(await recover({ dataDir }, undefined, { dryRun: true })).toMatchObject({ recordCount: 1 });
      mounts.at(-1)?.remount("rw");
      const reopened = await Engine.open({ dataDir });
      expect(text(await reopened.get("key"))).toBe("value");
      await reopened.close();
    });
  },
);

describe.skipIf(!mayMount)("a full disk (skipped where mounting a tmpfs is not permitted)", () => {
  const VALUE_BYTES = 5000;
  const BALLAST_BYTES = 512 * 1024;
  const config = (root: string) => ({
    dataDir: join(root, "data"),
    wal: { segmentMaxBytes: 200_000, maxBatchBytes: 40_000 },
  });
  const contentOf = (key: string) => key.padEnd(VALUE_BYTES, ".");

  /** Writes until the disk is full; gives the keys that were acknowledged. */
  async function fill(engine: Engine, prefix: string): Promise<string[]> {
    const acknowledged: string[] = [];
    let together = 10;
    for (let round = 0; ; round++) {
      const writes = Array.from({ length: together }, async (_, i) => {
        const key = `${prefix}-${round}-${i}`;
        await engine.put(key, contentOf(key), { durability: i % 2 === 0 ? "strict" : "relaxed" });
        acknowledged.push(key);
      });
      const outcomes = await Promise.allSettled(writes);
      const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
      for (const failure of failures)
        expect(KayaError.is(failure, "KAYA_DISK_FULL"), String(failure)).toBe(true);
      if (failures.length > 0 && together === 1) return acknowledged;
      if (failures.length > 0) together = 1; // what is too much for a group may fit one by one
    }
  }

  async function expectExactly(engine: Engine, keys: readonly string[]): Promise<void> {
    expect(await keysOf(engine.scan())).toEqual([...keys].sort());
    for (const key of keys) expect(text(engine.getSync(key)) === contentOf(key), key).toBe(true);
  }

  it("rejects writes and reads on; with some space the same engine goes on; a reopening has it all", async () => {
    const root = mount("2m");
    const ballast = join(root, "ballast");
    await writeFile(ballast, new Uint8Array(BALLAST_BYTES));
    const engine = await Engine.open(config(root));
    const keys = await fill(engine, "first");
    expect(keys.length).toBeGreaterThan(10);
    expect(engine.state).toBe("open");
    await expectExactly(engine, keys);
    await rejection("KAYA_DISK_FULL", engine.put("still", contentOf("still")));

    await rm(ballast);
    keys.push(...(await fill(engine, "second")));
    expect(keys.some((key) => key.startsWith("second"))).toBe(true);
    await expectExactly(engine, keys);
    await engine.close();

    const reopened = await Engine.open(config(root)); // on the disk that is full again
    await expectExactly(reopened, keys);
    await rejection("KAYA_DISK_FULL", reopened.put("still", contentOf("still")));
    await reopened.close();
    const again = await Engine.open(config(root));
    await expectExactly(again, keys);
    await again.close();
  });

  it("keeps all that a process acknowledged before it filled the disk and was killed", {
    timeout: 30_000,
  }, async () => {
    const root = mount("2m");
    const ballast = join(root, "ballast");
    await writeFile(ballast, new Uint8Array(BALLAST_BYTES));
    const { dataDir } = config(root);
    const writer = new WriterProcess({
      dataDir,
      name: "w",
      segmentMaxBytes: 500_000,
      valueBytes: VALUE_BYTES,
    });
    writers.push(writer);
    await writer.until((lines) => lines.filter((line) => line === "KAYA_DISK_FULL").length === 8);
    const keys = (await writer.kill()).flatMap(keysOfWrite);
    expect(keys.length).toBeGreaterThan(10);

    for (let attempt = 0; attempt < 2; attempt++) {
      const engine = await Engine.open(config(root));
      expect(await keysOf(engine.scan())).toEqual(expect.arrayContaining(keys));
      await rejection("KAYA_DISK_FULL", engine.put("more", new Uint8Array(100_000)));
      await engine.close();
    }
    await rm(ballast);
    const engine = await Engine.open(config(root));
    expect(await keysOf(engine.scan())).toEqual(expect.arrayContaining(keys));
    expect(await engine.put("more", "fits")).toMatchObject({ durable: true });
    await engine.close();
  });

  it("opens where it was full before there was a lock or a log, and closes without a complaint", async () => {
    const root = mount("1m");
    const { dataDir } = config(root);
    await mkdir(dataDir);
    const ballast = join(root, "ballast");
    await writeFile(ballast, new Uint8Array(2 * 1024 * 1024)).catch(() => undefined);
    const engine = await Engine.open(config(root));
    await rejection("KAYA_DISK_FULL", engine.put("key", "value"));
    expect(await engine.get("key")).toBe(undefined);
    await engine.close();
    const again = await Engine.open(config(root));
    await rm(ballast);
    await again.put("key", "value");
    await again.flush();
    await again.close();
    const last = await Engine.open(config(root));
    expect(await keysOf(last.scan())).toEqual(["key"]);
    await last.close();
  });
});
