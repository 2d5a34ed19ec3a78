import { access, mkdir, open, rm, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isFile, isRemovable, NodeDisk } from "../src/index.js";
import { NodeFile } from "../src/node-file.js";
import { rejectsWith, text } from "../src/testing/check.js";
import { temporaryDirectories } from "./temporary-directory.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

describe("NodeDisk's root", () => {
  it("is an absolute path", () => {
    expect(new NodeDisk("some/where").root).toBe(resolve("some/where"));
  });

  it("is made with its parents by the first creation, not by reading", async () => {
    const root = join(await directories.make(), "a/b/c");
    const disk = new NodeDisk(root);
    expect(await disk.list("")).toEqual([]);
    await disk.remove("file");
    await rejectsWith("KAYA_NOT_FOUND", disk.open("file"));
    await rejectsWith("KAYA_NOT_FOUND", disk.rename("file", "other"));
    await expect(access(root)).rejects.toThrow();
    await (await disk.open("file", { create: true })).close();
    await access(join(root, "file"));
  });

  it("that is a file is KAYA_INVALID_ARGUMENT", async () => {
    const root = join(await directories.make(), "file");
    await writeFile(root, "in the way");
    for (const disk of [new NodeDisk(root), new NodeDisk(join(root, "below"))]) {
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("file", { create: true }));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.list(""));
      await rejectsWith("KAYA_INVALID_ARGUMENT", disk.lock("LOCK"));
    }
  });

  it("that could not be made is tried again at the next creation", async () => {
    const parent = await directories.make();
    const blocked = join(parent, "blocked");
    await writeFile(blocked, "in the way");
    const disk = new NodeDisk(join(blocked, "root"));
    await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("file", { create: true }));
    await rm(blocked);
    await (await disk.open("file", { create: true })).close();
    await access(join(blocked, "root/file"));
  });
});

describe("NodeDisk's list", () => {
  it("says what an entry is, and follows no link", async () => {
    const root = await directories.make();
    await mkdir(join(root, "dir"));
    await symlink("dir", join(root, "to-dir"));
    await symlink("absent", join(root, "to-nothing"));
    const entries = await new NodeDisk(root).list("");
    expect(entries).toEqual([
      { path: "dir", isDirectory: true, length: 0 },
      { path: "to-dir", isDirectory: false, length: 0, special: "a symbolic link" },
      { path: "to-nothing", isDirectory: false, length: 0, special: "a symbolic link" },
    ]);
    expect(entries.map(isFile)).toEqual([false, false, false]);
    expect(entries.map(isRemovable)).toEqual([false, true, true]);
  });
});

describe("NodeDisk and names that the system refuses", () => {
  it("is KAYA_INVALID_ARGUMENT for one that is too long", async () => {
    const disk = new NodeDisk(await directories.make());
    await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("x".repeat(300), { create: true }));
  });
});

// Devices and kernel files that fail by nature: real errors of the real system calls, without a broken disk.
describe.skipIf(process.platform !== "linux")("NodeDisk on what fails (Linux)", () => {
  /** A disk opens no device; its files do what they do with any handle. */
  async function deviceFile(): Promise<NodeFile> {
    return new NodeFile("full", "/dev/full", await open("/dev/full", "r+"), { readOnly: false });
  }

  it("a write without space is KAYA_DISK_FULL", async () => {
    const file = await deviceFile();
    await rejectsWith("KAYA_DISK_FULL", file.append(text("x")));
    await rejectsWith("KAYA_DISK_FULL", file.writeAt(0, text("x")));
    await file.close();
  });

  it("a failed fdatasync is KAYA_FSYNC_FAILED, and names the file", async () => {
    const file = await deviceFile();
    await rejectsWith("KAYA_FSYNC_FAILED", file.sync());
    await expect(file.sync()).rejects.toThrow("/dev/full");
    await file.close();
  });

  it("a failed fsync of a directory is KAYA_FSYNC_FAILED", async () => {
    await rejectsWith("KAYA_FSYNC_FAILED", new NodeDisk("/proc").syncDir(""));
  });

  it("a failed read is KAYA_IO, and names the offset", async () => {
    const file = await new NodeDisk("/proc/self").open("mem", { readOnly: true });
    await rejectsWith("KAYA_IO", file.readAt(0, new Uint8Array(16)));
    await expect(file.readAt(16, new Uint8Array(16))).rejects.toThrow("read at offset 16");
    const readNow = async () => file.readAtSync(16, new Uint8Array(16));
    await rejectsWith("KAYA_IO", readNow());
    await expect(readNow()).rejects.toThrow("read at offset 16");
    await file.close();
  });
});
