import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NodeDisk } from "../src/index.js";

let base = "";
let root = "";
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "kaya-known-"));
  root = join(base, "data");
  await mkdir(join(root, "sub"), { recursive: true });
});
afterEach(() => rm(base, { recursive: true, force: true }));

/** Moves a directory away and makes another one with the same files in its place. */
async function replace(dir: string): Promise<void> {
  await rename(dir, `${dir}-away`);
  await mkdir(join(dir, "sub"), { recursive: true });
  await writeFile(join(dir, "file"), "other");
}

describe("a disk that is told which directories another disk holds", () => {
  it("works in them", async () => {
    const known = new NodeDisk(root).identify(["sub"]);
    expect(known.map(({ path }) => path).sort()).toEqual(["", "sub"]);
    const disk = new NodeDisk(root, structuredClone(known));
    await (await disk.open("sub/file", { create: true })).close();
    expect((await disk.list("sub")).map(({ path }) => path)).toEqual(["sub/file"]);
    await disk.close();
  });

  it.each(["", "sub"])("reads and writes nothing where '%s' is another one already", async (dir) => {
    const first = new NodeDisk(root);
    const known = first.identify(["sub"]);
    await replace(join(root, dir));
    const replaced = { code: "KAYA_DIRECTORY_REPLACED" };
    const path = dir === "" ? "file" : "sub/file";
    for (const attempt of [
      (disk: NodeDisk) => disk.open(path, { readOnly: true }),
      (disk: NodeDisk) => disk.open(path),
      (disk: NodeDisk) => disk.open("sub/new", { create: true }),
      (disk: NodeDisk) => disk.list("sub"),
      (disk: NodeDisk) => disk.remove("sub/file"),
      (disk: NodeDisk) => disk.syncDir("sub"),
    ]) {
      const disk = new NodeDisk(root, known);
      await expect(attempt(disk)).rejects.toMatchObject(replaced);
      await disk.close();
    }
    expect(() => first.identify(["sub"])).toThrow(expect.objectContaining(replaced));
    expect((await readdir(join(root, dir))).sort()).toEqual(["file", "sub"]);
    expect(await readdir(join(root, "sub"))).not.toContain("new");
    await first.close();
  });

  it("says so where the path names nothing any more", async () => {
    const known = new NodeDisk(root).identify();
    await rename(root, `${root}-away`);
    const disk = new NodeDisk(root, known);
    await expect(disk.open("file", { create: true })).rejects.toMatchObject({
      code: "KAYA_DIRECTORY_REPLACED",
    });
    expect(await readdir(base)).toEqual(["data-away"]);
  });
});
