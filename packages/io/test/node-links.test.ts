import { link, mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { NodeDisk, SimDisk } from "../src/index.js";
import { text } from "../src/testing/check.js";
import { temporaryDirectories } from "./temporary-directory.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

async function copyOfLock(root: string): Promise<string> {
  await mkdir(join(root, "copy"));
  await link(join(root, "LOCK"), join(root, "copy/LOCK"));
  return join(root, "copy");
}

describe("the names of a file", () => {
  it("are counted, also on a simulated disk", async () => {
    const root = await directories.make();
    const sim = new SimDisk();
    for (const disk of [new NodeDisk(root), sim]) {
      const file = await disk.open("file", { create: true });
      await file.append(text("abc"));
      expect(await file.links()).toBe(1);
      if (disk === sim) sim.linkDurably("file", "below/other");
      else {
        await mkdir(join(root, "below"));
        await link(join(root, "file"), join(root, "below/other"));
      }
      expect(await file.links()).toBe(2);
      await disk.remove("file");
      expect(await file.links()).toBe(1);
      await disk.remove("below/other");
      expect(await file.links()).toBe(0);
      await file.close();
      await expect(file.links()).rejects.toMatchObject({ code: "KAYA_CLOSED" });
    }
  });

  it("that a simulated disk was given are there after a crash and on a fork, and lead to the same bytes", async () => {
    const disk = new SimDisk();
    disk.writeFile("file", text("abc"));
    disk.linkDurably("file", "other");
    disk.crash();
    const fork = disk.fork();
    const file = await fork.open("other");
    expect(await file.links()).toBe(2);
    await file.append(text("d"));
    expect(fork.readFile("file")).toEqual(text("abcd"));
    expect(disk.readFile("file")).toEqual(text("abc"));
  });
});

describe("a lock file that has another name", () => {
  it("gets a file of its own: neither the lock nor the note is the copy's", async () => {
    const root = await directories.make();
    await (await new NodeDisk(root).lock("LOCK")).release({ clean: true, mark: "before" });
    const copy = await copyOfLock(root);
    const note = await readFile(join(copy, "LOCK"), "utf8");

    const lock = await new NodeDisk(root).lock("LOCK");
    expect([lock.cleanStart, lock.mark]).toEqual([true, "before"]);
    expect(await readFile(join(copy, "LOCK"), "utf8")).toBe(note);
    const other = await new NodeDisk(copy).lock("LOCK");
    expect(other.mark).toBe("before");
    await expect(new NodeDisk(root).lock("LOCK")).rejects.toMatchObject({ code: "KAYA_LOCK_CONFLICT" });
    await lock.release({ clean: true, mark: "after" });
    await other.release();
    const again = await new NodeDisk(root).lock("LOCK");
    expect(again.mark).toBe("after");
    await again.release();
    expect((await stat(join(root, "LOCK"))).nlink).toBe(1);
    await expect(stat(join(root, "LOCK.tmp"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("is still refused while a copy's holder has the shared one", async () => {
    const root = await directories.make();
    const first = await new NodeDisk(root).lock("LOCK");
    const copy = await copyOfLock(root);
    await expect(new NodeDisk(copy).lock("LOCK")).rejects.toMatchObject({ code: "KAYA_LOCK_CONFLICT" });
    await first.release();
    const second = await new NodeDisk(copy).lock("LOCK");
    await rm(join(root, "LOCK"));
    await second.release();
  });
});
