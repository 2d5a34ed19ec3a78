import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Engine, type KayaError, recoverTo } from "../src/index.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { rejection } from "./support/text.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

const SEGMENT = "wal/0000000000000001.wal";

/** A directory that was closed, with a log, its id, a consumer, a manifest, and a table where one is asked for. */
async function closedDirectory(withTable = false) {
  const base = await directories.make();
  const dataDir = join(base, "data");
  const engine = await Engine.open({ dataDir });
  for (const key of ["a", "b"]) await engine.put(key, "1");
  await engine.addConsumer("c");
  if (withTable) await engine.flush();
  await engine.close();
  return { base, dataDir };
}

const contentsOf = (dir: string) =>
  readdirSync(dir, { recursive: true })
    .map((name) => String(name))
    .filter((name) => lstatSync(join(dir, name)).isFile() && !name.endsWith("LOCK"))
    .sort()
    .map((name) => [name, readFileSync(join(dir, name)).toString("latin1")]);

/** Moves a file aside and puts something else in its place. */
const REPLACEMENTS: readonly (readonly [
  what: string,
  replace: (path: string, aside: string) => Promise<unknown>,
])[] = [
  ["a symbolic link", (path, aside) => rename(path, aside).then(() => symlink(aside, path))],
  [
    "a FIFO",
    (path, aside) => rename(path, aside).then(() => expect(spawnSync("mkfifo", [path]).status).toBe(0)),
  ],
];

describe.skipIf(process.platform === "win32")(
  "opening a directory in which a name is not what it seems",
  () => {
    for (const [what, replace] of REPLACEMENTS) {
      it.each(["LOCK", SEGMENT, "wal/log-id", "consumers", "manifest/*.manifest", "sst/*.sst"])(
        `refuses ${what} at %s by its name, at once, and changes nothing`,
        async (name) => {
          const { base, dataDir } = await closedDirectory(name.startsWith("sst"));
          const [dir = "", file = ""] = name.split("/");
          const [first = ""] = file.startsWith("*") ? await readdir(join(dataDir, dir)) : [];
          const path = file.startsWith("*") ? `${dir}/${first}` : name;
          await replace(join(dataDir, path), join(base, "aside"));
          const before = [contentsOf(dataDir), contentsOf(base)];
          const error = await Engine.open({ dataDir }).catch((reason: KayaError) => reason);
          expect(error).toMatchObject({
            code: expect.stringMatching(/^KAYA_(INVALID_ARGUMENT|CORRUPTION)$/),
          });
          expect((error as KayaError).message).toContain(path);
          expect((error as KayaError).message).toContain(`is ${what}`);
          expect([contentsOf(dataDir), contentsOf(base)]).toEqual(before);
        },
      );
    }

    it.each(["wal", "manifest", "sst", "wal/quarantine"])(
      "refuses %s where it is a link, and changes nothing",
      async (dir) => {
        const { base, dataDir } = await closedDirectory(true);
        await mkdir(join(dataDir, dir), { recursive: true });
        await rename(join(dataDir, dir), join(base, "aside"));
        await symlink(join(base, "aside"), join(dataDir, dir));
        await writeFile(join(dataDir, dir, "0000000000000001.wal.tmp"), "left by a crash");
        const before = [contentsOf(dataDir), contentsOf(join(base, "aside"))];
        const error = await Engine.open({ dataDir }).catch((reason: KayaError) => reason);
        expect((error as KayaError).message).toContain(`${dir} is a symbolic link`);
        expect([contentsOf(dataDir), contentsOf(join(base, "aside"))]).toEqual(before);
      },
    );

    it("opens through a link to the directory itself", async () => {
      const { base, dataDir } = await closedDirectory();
      await symlink("data", join(base, "current"));
      const engine = await Engine.open({ dataDir: join(base, "current") });
      expect(engine.stats().entries).toBe(2);
      await engine.close();
      expect(contentsOf(dataDir).length).toBeGreaterThan(0);
    });

    it.each([
      "consumers.tmp",
      "wal/log-id.tmp",
      `${SEGMENT}.tmp`,
      "manifest/0000000000000002.manifest.tmp",
      "sst/0000000000000001.sst.tmp",
    ])("removes the link %s, not what it leads to, and writes nothing through it", async (name) => {
      const { base, dataDir } = await closedDirectory();
      await mkdir(join(dataDir, "sst"), { recursive: true });
      await writeFile(join(base, "theirs"), "theirs");
      await rm(join(dataDir, "LOCK")); // not closed cleanly, so that the tail is written again
      if (name === "wal/log-id.tmp") await rm(join(dataDir, "wal/log-id"));
      await symlink(join(base, "theirs"), join(dataDir, name));
      const engine = await Engine.open({ dataDir });
      await engine.addConsumer("another");
      await engine.flush();
      await engine.close();
      expect(readFileSync(join(base, "theirs"), "utf8")).toBe("theirs");
      expect(existsSync(join(dataDir, name))).toBe(false);
      expect(contentsOf(dataDir).map(([path]) => path)).toContain("consumers");
    });
  },
);

describe.skipIf(process.platform === "win32")("what goes into a directory of its own", () => {
  it("is refused where a link leads back into the one that is read", async () => {
    const { base, dataDir } = await closedDirectory();
    await symlink(dataDir, join(base, "link"));
    await symlink("../data", join(dataDir, "inside"));
    const engine = await Engine.open({ dataDir: join(base, "link") });
    for (const into of ["data/new", "link/new", "link/new/deep", "data/inside/new"]) {
      const target = join(base, into);
      const messages = [
        await rejection("KAYA_INVALID_ARGUMENT", engine.backup(target)),
        await rejection("KAYA_INVALID_ARGUMENT", recoverTo({ dataDir }, { lsn: 1, into: target })),
      ].map(({ message }) => message);
      for (const message of messages)
        expect(message).toContain("needs a directory outside the data directory");
    }
    expect(existsSync(join(dataDir, "new"))).toBe(false);
    await mkdir(join(base, "elsewhere"));
    await rm(join(dataDir, "inside"));
    await symlink("elsewhere", join(base, "out"));
    expect(await engine.backup(join(base, "out"))).toMatchObject({ lsn: 2 });
    await engine.close();
  });
});
