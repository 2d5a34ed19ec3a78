import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { NodeDisk, readLockHolder } from "../src/index.js";
import { rejectsWith, text } from "../src/testing/check.js";
import { temporaryDirectories } from "./temporary-directory.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

/** Puts something at a path that has the name of a file and is none. */
const SPECIAL: readonly (readonly [what: string, make: (path: string) => Promise<unknown>])[] = [
  [
    "a symbolic link",
    (path) => writeFile(`${path}-target`, "theirs").then(() => symlink(`${path}-target`, path)),
  ],
  ["a symbolic link", (path) => symlink("nowhere", path)],
  ["a FIFO", async (path) => expect(spawnSync("mkfifo", [path]).status).toBe(0)],
  ["a socket", (path) => new Promise<void>((resolve) => createServer().listen(path, resolve).unref())],
];

describe.skipIf(process.platform === "win32")("what has the name of a file and is none", () => {
  for (const [index, [what, make]] of SPECIAL.entries()) {
    it(`(${index}) ${what} is refused at once, by its name, and not touched`, async () => {
      const root = await directories.make();
      const path = join(root, "name");
      await make(path);
      const disk = new NodeDisk(root);
      for (const options of [{}, { readOnly: true }, { create: true }, { create: true, exclusive: true }]) {
        await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("name", options));
        await expect(disk.open("name", options)).rejects.toThrow(`${path} is ${what}`);
      }
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.lock("name"));
      await expect(disk.lock("name")).rejects.toThrow(`${path} is ${what}`);
      await rejectsWith("KAYA_INVALID_ARGUMENT", readLockHolder(path));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.rename("name", "other"));
      expect((await disk.list("")).find((entry) => entry.path === "name")).toEqual({
        path: "name",
        isDirectory: false,
        length: 0,
        special: what,
      });
      expect(existsSync(join(root, "nowhere"))).toBe(false); // nothing is made through a link
      if (index === 0) expect(readFileSync(`${path}-target`, "utf8")).toBe("theirs");
      await disk.close();
    });
  }

  it("a link is removed itself, not what it leads to; a FIFO is not removed", async () => {
    const root = await directories.make();
    await writeFile(join(root, "target"), "theirs");
    await symlink("target", join(root, "link"));
    spawnSync("mkfifo", [join(root, "fifo")]);
    const disk = new NodeDisk(root);
    await disk.remove("link");
    await rejectsWith("KAYA_INVALID_ARGUMENT", disk.remove("fifo"));
    expect(readFileSync(join(root, "target"), "utf8")).toBe("theirs");
    expect(lstatSync(join(root, "fifo")).isFIFO()).toBe(true);
    expect(existsSync(join(root, "link"))).toBe(false);
    await disk.close();
  });

  it("a link has its place taken by a rename, and what it led to stays", async () => {
    const root = await directories.make();
    await writeFile(join(root, "target"), "theirs");
    await symlink("target", join(root, "link"));
    const disk = new NodeDisk(root);
    const file = await disk.open("new", { create: true });
    await file.append(text("ours"));
    await file.close();
    await disk.rename("new", "link");
    expect([readFileSync(join(root, "link"), "utf8"), readFileSync(join(root, "target"), "utf8")]).toEqual([
      "ours",
      "theirs",
    ]);
    await disk.close();
  });

  it("a directory below the root that is a link is refused, before anything is made in it; the root may be one", async () => {
    const base = await directories.make();
    await mkdir(join(base, "elsewhere/deep"), { recursive: true });
    await mkdir(join(base, "data"));
    await symlink("../elsewhere", join(base, "data/sub"));
    await symlink("data", join(base, "link"));
    await writeFile(join(base, "elsewhere/file"), "theirs");
    for (const root of ["data", "link"]) {
      const disk = new NodeDisk(join(base, root));
      await (await disk.open("own", { create: true })).close();
      for (const run of [
        () => disk.open("sub/new", { create: true }),
        () => disk.open("sub/deep/new", { create: true }),
        () => disk.open("sub/file"),
        () => disk.open("sub/file", { readOnly: true }),
        () => new NodeDisk(disk.root).open("sub/file", { readOnly: true }),
        () => disk.list("sub"),
        () => new NodeDisk(disk.root).list("sub/deep"),
        () => disk.remove("sub/file"),
        () => disk.rename("sub/file", "moved"),
        () => disk.rename("own", "sub/moved"),
        () => disk.syncDir("sub"),
        () => disk.lock("sub/LOCK"),
      ]) {
        await rejectsWith("KAYA_INVALID_ARGUMENT", run());
        await expect(run()).rejects.toThrow("data directory itself may be a link");
      }
      await disk.close();
    }
    expect(readFileSync(join(base, "elsewhere/file"), "utf8")).toBe("theirs");
    expect(existsSync(join(base, "elsewhere/new"))).toBe(false);
  });
});
