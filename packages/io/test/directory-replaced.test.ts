import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KayaError } from "@kaya/core";
import { afterAll, describe, expect, it } from "vitest";
import { type Disk, NodeDisk, SimDisk } from "../src/index.js";
import { lockFile } from "../src/node-lock.js";
import { holds, rejectsWith, text } from "../src/testing/check.js";
import { temporaryDirectories } from "./temporary-directory.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

/** A data directory with a lock, a file in it and one in a directory below. */
async function opened() {
  const base = await directories.make();
  const root = join(base, "data");
  const disk = new NodeDisk(root);
  const lock = await disk.lock("LOCK");
  const file = await disk.open("sub/file", { create: true });
  await file.append(text("old"));
  await (await disk.open("top", { create: true })).close();
  return { base, root, disk, lock, file };
}

/** Everything that takes a path. */
const BY_NAME: readonly (readonly [name: string, run: (disk: Disk) => Promise<unknown>])[] = [
  ["open", (disk) => disk.open("sub/file")],
  ["open read-only", (disk) => disk.open("sub/file", { readOnly: true })],
  ["create", (disk) => disk.open("sub/new", { create: true })],
  ["create in a new directory", (disk) => disk.open("other/new", { create: true })],
  ["list", (disk) => disk.list("sub")],
  ["rename", (disk) => disk.rename("sub/file", "sub/renamed")],
  ["remove", (disk) => disk.remove("sub/file")],
  ["syncDir", (disk) => disk.syncDir("sub")],
  ["lock", (disk) => disk.lock("SECOND")],
];

async function allRefused(disk: Disk): Promise<void> {
  for (const [, run] of BY_NAME) await rejectsWith("KAYA_DIRECTORY_REPLACED", run(disk));
}

const filesOf = (root: string) =>
  readdirSync(root, { recursive: true })
    .map((name) => String(name))
    .sort();

describe("a directory that is not the one any more that was opened", () => {
  for (const [name, run] of BY_NAME) {
    it(`is KAYA_DIRECTORY_REPLACED for ${name}, and nothing changes in either`, async () => {
      const { base, root, disk, lock, file } = await opened();
      await rename(root, join(base, "moved"));
      await mkdir(join(root, "sub"), { recursive: true });
      await writeFile(join(root, "sub/file"), "new");
      const before = [filesOf(root), filesOf(join(base, "moved"))];
      await rejectsWith("KAYA_DIRECTORY_REPLACED", run(disk));
      await expect(run(disk)).rejects.toThrow(`${root} is not the directory any more that was opened`);
      expect([filesOf(root), filesOf(join(base, "moved"))]).toEqual(before);
      expect(readFileSync(join(root, "sub/file"), "utf8")).toBe("new");
      await file.append(text(" and on")); // what is open goes on
      await file.sync();
      expect(readFileSync(join(base, "moved/sub/file"), "utf8")).toBe("old and on");
      await Promise.all([file.close(), lock.release()]);
    });
  }

  it("is noticed where it was moved away or removed, and nothing is made anew", async () => {
    for (const take of [rename, (root: string) => rm(root, { recursive: true })]) {
      const { base, root, disk, lock, file } = await opened();
      await take(root, join(base, "moved"));
      await allRefused(disk);
      expect(existsSync(root)).toBe(false);
      await Promise.all([file.close(), lock.release()]);
    }
  });

  it("is noticed where a link leads elsewhere now, and is the same under a link to where it was moved", async () => {
    const base = await directories.make();
    for (const dir of ["d1", "d2"]) await mkdir(join(base, dir, "sub"), { recursive: true });
    await symlink("d1", join(base, "current"));
    const disk = new NodeDisk(join(base, "current"));
    const lock = await disk.lock("LOCK");
    await (await disk.open("sub/file", { create: true })).close();
    await rename(join(base, "d1"), join(base, "d3"));
    await unlink(join(base, "current"));
    await symlink("d3", join(base, "current"));
    await (await disk.open("sub/second", { create: true })).close();
    expect(filesOf(join(base, "d3/sub"))).toEqual(["file", "second"]);
    await unlink(join(base, "current"));
    await symlink("d2", join(base, "current"));
    await allRefused(disk);
    expect(filesOf(join(base, "d2"))).toEqual(["sub"]);
    await lock.release();
  });

  it.each([
    ["the lock file is removed", async (root: string) => rm(join(root, "LOCK"))],
    [
      "the lock file is replaced",
      async (root: string) => {
        await writeFile(join(root, "LOCK.new"), "");
        await rename(join(root, "LOCK.new"), join(root, "LOCK"));
      },
    ],
    [
      "a directory below is replaced",
      async (root: string) => {
        await rename(join(root, "sub"), join(root, "sub.old"));
        await mkdir(join(root, "sub"));
      },
    ],
    ["a directory below is removed", async (root: string) => rm(join(root, "sub"), { recursive: true })],
    [
      "a directory below is a link to itself by now",
      async (root: string) => {
        await rename(join(root, "sub"), join(root, "sub.old"));
        await symlink("sub.old", join(root, "sub"));
      },
    ],
  ])("is noticed where %s", async (_what, change) => {
    const { root, disk, lock, file } = await opened();
    await change(root);
    const before = filesOf(root);
    await rejectsWith("KAYA_DIRECTORY_REPLACED", disk.open("sub/new", { create: true }));
    await allRefused(disk); // in the other directories too
    expect(filesOf(root)).toEqual(before);
    await Promise.all([file.close(), lock.release()]);
  });

  it("stays refused although the right one comes back, until the disk was closed", async () => {
    const { base, root, disk, lock, file } = await opened();
    await rename(root, join(base, "moved"));
    await rejectsWith("KAYA_DIRECTORY_REPLACED", disk.remove("top"));
    await rename(join(base, "moved"), root);
    await rejectsWith("KAYA_DIRECTORY_REPLACED", disk.remove("top"));
    await Promise.all([file.close(), lock.release()]); // closes it
    await disk.remove("top");
    expect(filesOf(root)).toEqual(["LOCK", "sub", "sub/file"]);
    await disk.close();
  });

  it("is not looked for by a disk that only reads: it sees what the path names", async () => {
    const { base, root, lock, file } = await opened();
    const reader = new NodeDisk(root);
    expect((await reader.list("sub")).length).toBe(1);
    await rename(root, join(base, "moved"));
    expect(await reader.list("sub")).toEqual([]);
    await Promise.all([file.close(), lock.release()]);
  });

  it("is simulated: names are refused, open files go on, and the directory is opened again under its new name", async () => {
    const disk = new SimDisk();
    const session = disk.session();
    await session.lock("LOCK");
    const file = await session.open("sub/file", { create: true });
    for (const dir of ["sub", ""]) await session.syncDir(dir);
    disk.replaceDirectory();
    await allRefused(session);
    await file.append(text("still here"));
    await file.sync();
    disk.crash();
    await holds(await disk.session().open("sub/file"), "still here");

    disk.addFault({ at: disk.nextOperation, kind: "directory-replaced" });
    await disk
      .remove("absent")
      .catch((error: KayaError) => expect(error.code).toBe("KAYA_DIRECTORY_REPLACED"));
    await allRefused(disk);
  });
});

describe("a lock file that is replaced between its opening and its locking", () => {
  it("is opened again until the name leads to what is locked", async () => {
    const root = await directories.make();
    const path = join(root, "LOCK");
    let calls = 0;
    // The way to the file is asked for right before it is opened: the first one leads to a file that loses its name.
    const reach = () => {
      calls++;
      return calls === 1 ? join(root, "old") : path;
    };
    await writeFile(join(root, "old"), "");
    await writeFile(path, "");
    const nothing = async () => undefined;
    const lock = await lockFile(path, reach, () => undefined, nothing);
    expect(calls).toBe(2);
    await rejectsWith("KAYA_LOCK_CONFLICT", new NodeDisk(root).lock("LOCK"));
    await lock.release();
  });

  it("is KAYA_LOCK_CONFLICT where that never ends", async () => {
    const root = await directories.make();
    await writeFile(join(root, "old"), "");
    const taken = lockFile(
      join(root, "LOCK"),
      () => join(root, "old"),
      () => undefined,
      async () => undefined,
    );
    await rejectsWith("KAYA_LOCK_CONFLICT", taken);
  });
});
