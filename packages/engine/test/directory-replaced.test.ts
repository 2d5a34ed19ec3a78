import { existsSync, readdirSync } from "node:fs";
import { cp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Engine } from "../src/index.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { latin1, rejection } from "./support/text.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

const CONFIG = { wal: { segmentMaxBytes: 2000, maxRecordBytes: 1000 }, tables: { autoFlush: false } };

/** What an engine does by name. */
const NOTICING: readonly (readonly [what: string, run: (engine: Engine) => Promise<unknown>])[] = [
  ["a strict write", (engine) => engine.put("a strict one", "1")],
  ["a rotation", (engine) => fill(engine, "rotates", 8)],
  ["a flush", (engine) => engine.flush()],
  ["a new consumer", (engine) => engine.addConsumer("of the old one")],
];

async function fill(engine: Engine, name: string, count: number): Promise<string[]> {
  const acknowledged: string[] = [];
  for (let i = 0; i < count; i++) {
    await engine.put(`${name}${i}`, "v".repeat(400));
    acknowledged.push(`${name}${i}`);
  }
  return acknowledged;
}

const namesOf = (dir: string) =>
  readdirSync(dir, { recursive: true })
    .map((name) => String(name))
    .sort();

describe("an engine whose directory is moved, and a backup of it put in its place and opened", () => {
  it.each(NOTICING)("notices it at %s, stops, and loses nothing of either", async (_what, run) => {
    const base = await directories.make();
    const dataDir = join(base, "data");
    const old = await Engine.open({ ...CONFIG, dataDir });
    await old.put("shared", "1");
    await old.addConsumer("c");
    await old.backup(join(base, "backup"));
    await old.put("behind the backup", "1");
    await rename(dataDir, join(base, "damaged"));
    await cp(join(base, "backup"), dataDir, { recursive: true });

    const restored = await Engine.open({ ...CONFIG, dataDir });
    await restored.addConsumer("of the new one");
    const acknowledged = await fill(restored, "new", 3);
    const before = namesOf(dataDir);
    const error = await rejection("KAYA_DIRECTORY_REPLACED", run(old));
    expect(error.message).toContain(dataDir);
    expect([old.state, old.failure?.code]).toEqual(["failed", "KAYA_DIRECTORY_REPLACED"]);
    await rejection("KAYA_WRITER_FAILED", old.put("refused", "1"));
    expect(namesOf(dataDir)).toEqual(before);
    acknowledged.push(...(await fill(restored, "more", 6)));
    await old.close();
    await restored.close();

    const again = await Engine.open({ ...CONFIG, dataDir });
    for (const key of acknowledged) expect(await again.has(key)).toBe(true);
    expect(again.consumers().map(({ name }) => name)).toEqual(["of the new one"]);
    await again.close();
    const moved = await Engine.open({ ...CONFIG, dataDir: join(base, "damaged") });
    expect(latin1((await moved.get("behind the backup")) as Uint8Array)).toBe("1");
    await moved.close();
  });

  it("makes no directory anew where it was removed", async () => {
    const dataDir = join(await directories.make(), "data");
    const engine = await Engine.open({ ...CONFIG, dataDir });
    await engine.put("a", "1");
    await rm(dataDir, { recursive: true });
    await rejection("KAYA_DIRECTORY_REPLACED", engine.flush());
    await engine.close();
    expect(existsSync(dataDir)).toBe(false);
  });
});

describe.skipIf(process.platform !== "linux")("the handles of an engine's directories", () => {
  const open = async () => (await readdir("/proc/self/fd")).length;

  it.each([{}, { disableLocking: true }])("are let go of when it is closed (%o)", async (options) => {
    const base = await directories.make();
    const before = await open();
    for (let i = 0; i < 3; i++) {
      const engine = await Engine.open({ ...CONFIG, ...options, dataDir: join(base, "data") });
      await engine.put("a", "1");
      await engine.flush();
      await engine.backup(join(base, `backup${i}`));
      await engine.close();
    }
    expect(await open()).toBe(before);
  });
});

describe("an engine whose lock file is removed, and another one that opens the directory then", () => {
  it("acknowledges no strict write any more that the other one does not find", async () => {
    const dataDir = await directories.make();
    const first = await Engine.open({ ...CONFIG, dataDir });
    const acknowledged: string[] = [];
    const failures = new Set<unknown>();
    let isOver = false;
    const writing = (async () => {
      for (let n = 0; !isOver; n++) {
        await first.put(`key ${n}`, "v").then(
          () => acknowledged.push(`key ${n}`),
          (error: { code: unknown }) => {
            failures.add(error.code);
            isOver = true;
          },
        );
      }
    })();
    while (acknowledged.length < 20) await first.sync();
    await rm(join(dataDir, "LOCK"));
    const second = await Engine.open({ ...CONFIG, dataDir });
    await writing;
    expect([...failures]).toEqual(["KAYA_DIRECTORY_REPLACED"]);
    for (const key of acknowledged) expect(second.getSync(key), key).toBeDefined();
    await first.close();
    await second.close();
  });
});
