import { mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { NodeDisk } from "../src/index.js";
import { temporaryDirectories } from "./temporary-directory.js";

const opened = vi.hoisted(() => [] as string[]);
vi.mock("node:fs", async (importOriginal) => {
  const fs = await importOriginal<typeof import("node:fs")>();
  return {
    ...fs,
    openSync: (path: string, ...rest: [number]) => {
      opened.push(path);
      return fs.openSync(path, ...rest);
    },
  };
});

const directories = temporaryDirectories();
afterAll(() => directories.remove());

/** The directories above the root that are synced by the first creation in it; the mount that they are in is not asked for. */
async function syncedAbove(root: string): Promise<string[]> {
  opened.length = 0;
  const disk = new NodeDisk(root);
  await (await disk.open("file", { create: true })).close();
  await disk.close();
  return opened.filter((path) => !path.endsWith("/file"));
}

describe.skipIf(process.platform === "win32")("the names that lead to a NodeDisk's root are durable", () => {
  it("where it makes them, and where a process that was killed made them and synced nothing", async () => {
    const base = await directories.make();
    const root = join(base, "a/b/data");
    const above = [join(base, "a/b"), join(base, "a"), base];
    expect(await syncedAbove(root)).toEqual(expect.arrayContaining(above));
    expect(await syncedAbove(root)).toEqual(expect.arrayContaining(above));
    const left = join(base, "x/y/data");
    await mkdir(left, { recursive: true });
    const synced = await syncedAbove(left);
    expect(synced.slice(0, 3)).toEqual([join(base, "x/y"), join(base, "x"), base]);
    expect(synced).toContain(dirname(base));
  });

  it("where a link leads to them", async () => {
    const base = await directories.make();
    await mkdir(join(base, "releases/1/data"), { recursive: true });
    await symlink("releases/1", join(base, "current"));
    const above = [join(base, "releases/1"), join(base, "releases"), base];
    expect((await syncedAbove(join(base, "current/data"))).slice(0, 3)).toEqual(above);
  });
});
