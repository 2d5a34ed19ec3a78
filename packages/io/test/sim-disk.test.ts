import { describe, expect, it } from "vitest";
import { type FaultRule, SimDisk } from "../src/index.js";
import { pattern, rejectsWith, text } from "../src/testing/check.js";

describe("events", () => {
  it("are all the operations that reached the disk, in order", async () => {
    const disk = new SimDisk({ faults: [{ at: 3, kind: "disk-full" }] });
    const lock = await disk.lock("LOCK");
    const file = await disk.open("dir/file", { create: true });
    await file.append([text("abc"), text("d")]);
    await file.writeAt(2, text("xy"));
    await rejectsWith("KAYA_DISK_FULL", file.append(text("!")));
    await file.readAt(1, new Uint8Array(2));
    await file.length();
    await file.truncate(1);
    await file.sync();
    await disk.syncDir("dir");
    await disk.rename("dir/file", "other");
    await disk.list("");
    await disk.remove("other");
    await rejectsWith("KAYA_NOT_FOUND", disk.open("other"));
    await file.close();
    await file.close();
    await lock.release();
    expect(disk.events).toEqual([
      { kind: "lock", path: "LOCK" },
      { kind: "open", path: "dir/file", index: 0 },
      { kind: "append", path: "dir/file", index: 1, position: 0, length: 4 },
      { kind: "writeAt", path: "dir/file", index: 2, position: 2, length: 2 },
      { kind: "append", path: "dir/file", index: 3, position: 4, length: 1, error: "KAYA_DISK_FULL" },
      { kind: "readAt", path: "dir/file", readIndex: 0, position: 1, length: 2 },
      { kind: "length", path: "dir/file", readIndex: 1 },
      { kind: "truncate", path: "dir/file", index: 4, length: 1 },
      { kind: "sync", path: "dir/file", index: 5 },
      { kind: "syncDir", path: "dir", index: 6 },
      { kind: "rename", path: "dir/file", index: 7, target: "other" },
      { kind: "list", path: "", readIndex: 2 },
      { kind: "remove", path: "other", index: 8 },
      { kind: "open", path: "other", readIndex: 3, error: "KAYA_NOT_FOUND" },
      { kind: "close", path: "dir/file" },
      { kind: "release", path: "LOCK" },
    ]);
  });

  it("leave out what was refused before it reached the disk, and the helpers of tests", async () => {
    const disk = new SimDisk();
    await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("../x", { create: true }));
    disk.writeFile("file", text("x"));
    disk.readFile("file");
    disk.stableFile("file");
    disk.flipBit("file", 0, 0);
    disk.removeDurably("file");
    expect(disk.events).toEqual([]);
  });
});

describe("inputs", () => {
  it("are copied at the call, and outputs are the caller's", async () => {
    const disk = new SimDisk();
    const faults: FaultRule[] = [{ at: 9, kind: "io-error" }];
    const bytes = text("abc");
    const file = await disk.open("file", { create: true });
    const parts = [bytes];
    const writes = [file.append(bytes), file.append(parts), file.writeAt(6, bytes)];
    bytes.fill(0);
    parts.length = 0;
    faults.length = 0;
    await Promise.all(writes);
    const read = disk.readFile("file");
    expect(read).toEqual(text("abcabcabc"));
    read?.fill(0);
    expect(disk.readFile("file")).toEqual(text("abcabcabc"));
    await file.sync();
    expect(disk.stableFile("file")).toBeUndefined(); // its name is not synced
    await disk.syncDir("");
    expect(disk.stableFile("file")).toEqual(text("abcabcabc"));
  });

  it("take effect at the call", async () => {
    const disk = new SimDisk();
    const file = await disk.open("file", { create: true });
    const write = file.append(text("x"));
    expect(disk.readFile("file")).toEqual(text("x"));
    await write;
  });
});

describe("the same seed", () => {
  async function crashed(seed: number, crashSeed?: number) {
    const disk = new SimDisk({ seed });
    disk.writeFile("stays", text("x"));
    for (let i = 0; i < 12; i++) {
      const file = await disk.open(`dir${i % 3}/file${i}`, { create: true });
      await file.append(pattern(9000, i));
      await file.truncate(8000 - i);
      if (i % 3 === 0) await disk.syncDir("");
    }
    const report = disk.crash({ survive: "random", ...(crashSeed === undefined ? {} : { seed: crashSeed }) });
    const files: [string, string][] = [];
    for (const dir of await disk.list("")) {
      for (const { path } of await disk.list(dir.isDirectory ? dir.path : "dir0")) {
        files.push([path, Buffer.from(disk.readFile(path) ?? []).toString("base64")]);
      }
    }
    return { report, files };
  }

  it("gives the same crash, and another one another", async () => {
    expect(await crashed(1)).toEqual(await crashed(1));
    expect(await crashed(1)).not.toEqual(await crashed(2));
  });

  it("of a report gives the same crash again", async () => {
    const first = await crashed(5);
    expect(await crashed(99, first.report.seed)).toEqual(first);
  });

  it("gives another crash at another operation", async () => {
    const disk = new SimDisk({ seed: 1 });
    const seeds = new Set<number>();
    for (let i = 0; i < 100; i++) {
      await disk.remove("absent");
      seeds.add(disk.crash().seed);
    }
    expect(seeds.size).toBe(100);
  });

  it("must be a whole number", () => {
    expect(() => new SimDisk({ seed: 0.5 })).toThrow("seed must be a whole number");
    expect(() => new SimDisk().crash({ seed: Number.NaN })).toThrow("seed must be a whole number");
    expect(() => new SimDisk().crash({ survive: "some" as "random" })).toThrow("survive must be");
  });
});

describe("what tests damage a disk with", () => {
  it("writeFile puts a durable file there, with durable parents, replacing what was", async () => {
    const disk = new SimDisk();
    disk.writeFile("a/b/c", text("long content"));
    disk.writeFile("a/b/c", text("short"));
    disk.crash();
    expect(disk.readFile("a/b/c")).toEqual(text("short"));
    expect(() => disk.writeFile("a/b", text(""))).toThrow("is a directory");
  });

  it("removeDurably removes for good", () => {
    const disk = new SimDisk();
    disk.writeFile("a/file", text("x"));
    disk.removeDurably("a/file");
    disk.removeDurably("absent/file");
    disk.crash({ survive: "everything" });
    expect(disk.readFile("a/file")).toBeUndefined();
  });

  it("flipBit changes one bit for readers and for good", () => {
    const disk = new SimDisk();
    disk.writeFile("file", Uint8Array.of(0, 0b1010, 0));
    disk.flipBit("file", 1, 0);
    disk.flipBit("file", 1, 3);
    expect(disk.readFile("file")).toEqual(Uint8Array.of(0, 0b0011, 0));
    disk.crash();
    expect(disk.readFile("file")).toEqual(Uint8Array.of(0, 0b0011, 0));
    expect(() => disk.flipBit("file", 3, 0)).toThrow("has no bit 0 at offset 3");
    expect(() => disk.flipBit("file", 0, 8)).toThrow("has no bit 8");
    expect(() => disk.flipBit("absent", 0, 0)).toThrow("does not exist");
  });

  it("readFile and stableFile know a file from a directory", () => {
    const disk = new SimDisk();
    disk.writeFile("dir/file", text("x"));
    expect([disk.readFile("absent"), disk.stableFile("absent/deeper")]).toEqual([undefined, undefined]);
    expect(() => disk.readFile("dir")).toThrow("is a directory");
    expect(() => disk.stableFile("dir/file/below")).toThrow("leads through a file");
  });
});

describe("limits", () => {
  it("a file ends at 2 GiB: beyond it is KAYA_IO, and nothing is allocated", async () => {
    const disk = new SimDisk();
    const file = await disk.open("file", { create: true });
    await rejectsWith("KAYA_IO", file.truncate(2 ** 40));
    await rejectsWith("KAYA_IO", file.writeAt(2 ** 31, text("x")));
    expect(await file.length()).toBe(0);
  });
});
