import { KayaError } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { LsmTree, PUT } from "../src/index.js";

const entry = (name: string, sequence: number) =>
  ({ key: Buffer.from(name), value: Buffer.from("1"), kind: PUT, sequence }) as const;

describe("a tree that was closed", () => {
  it("is clean where everything that its manifest says is durable, and its manifest is gone on with", async () => {
    const disk = new SimDisk();
    const tree = await LsmTree.open(disk, { autoCompact: false });
    await tree.flush({ entries: [entry("a", 1)] }, { lsn: 1, sequence: 1 });
    expect(tree.isClean).toBe(true);
    await tree.close();
    expect(tree.isClean).toBe(true);
    const before = (await disk.list("manifest")).map(({ path }) => path);
    const again = await LsmTree.open(disk, { autoCompact: false, trustPageCache: true });
    expect((await disk.list("manifest")).map(({ path }) => path)).toEqual(before);
    await again.close();
  });

  it("is not clean behind an edit that failed", async () => {
    const disk = new SimDisk();
    const open = disk.open.bind(disk);
    let fails = false;
    disk.open = async (path, options) => {
      const file = await open(path, options);
      const sync = file.sync.bind(file);
      file.sync = async () => {
        if (fails && path.startsWith("manifest/")) throw new KayaError("KAYA_FSYNC_FAILED", "injected");
        return sync();
      };
      return file;
    };
    const tree = await LsmTree.open(disk, { autoCompact: false });
    fails = true;
    const flush = tree.flush({ entries: [entry("a", 1)] }, { lsn: 1, sequence: 1 });
    await expect(flush).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    expect(tree.isClean).toBe(false);
    await tree.close();
    expect(tree.isClean).toBe(false);
  });
});
