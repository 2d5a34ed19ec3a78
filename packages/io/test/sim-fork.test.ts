import { describe, expect, it, vi } from "vitest";
import { type MutatingKind, SimDisk } from "../src/index.js";
import { pattern, rejectsWith, text } from "../src/testing/check.js";

vi.setConfig({ testTimeout: 120_000 });

const asText = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

/** Synced and unsynced bytes and names, a phantom of a failed fsync, a half-done move, a held lock. */
async function usedDisk(seed = 0): Promise<SimDisk> {
  const disk = new SimDisk({ seed });
  await disk.lock("LOCK");
  disk.writeFile("dir/old", text("synced"));
  const file = await disk.open("dir/new", { create: true });
  await file.append(pattern(5000));
  await file.truncate(4000);
  await (await disk.open("dir/old")).append(text(" unsynced"));
  disk.writeFile("phantom", text("durable"));
  const phantom = await disk.open("phantom");
  await phantom.append(text(" or not"));
  disk.addFault({ at: disk.nextOperation, kind: "fsync-failed" });
  await rejectsWith("KAYA_FSYNC_FAILED", phantom.sync());
  disk.writeFile("other/moved", text("x"));
  await disk.rename("other/moved", "dir/moved");
  await disk.remove("dir/old");
  return disk;
}

async function contents(disk: SimDisk, dir = ""): Promise<Record<string, string | undefined>> {
  const found: Record<string, string | undefined> = {};
  for (const { path, isDirectory } of await disk.list(dir)) {
    if (isDirectory) Object.assign(found, await contents(disk, path));
    else found[path] = Buffer.from(disk.readFile(path) ?? []).toString("hex");
  }
  return found;
}

describe("a fork", () => {
  it("is in the same state: what reads see, what is stable, what is unsynced", async () => {
    const disk = await usedDisk();
    const fork = disk.fork();
    expect([fork.nextOperation, fork.nextRead, fork.events]).toEqual([disk.nextOperation, disk.nextRead, []]);
    expect(await contents(fork)).toEqual(await contents(disk));
    expect(fork.unsynced).toEqual(disk.unsynced);
    expect(fork.stateDigest("everything")).not.toBe(fork.stateDigest());
    for (const path of ["dir/new", "phantom", "other/moved"]) {
      expect(fork.stableFile(path)).toEqual(disk.stableFile(path));
    }
  });

  it("crashes in the same way", async () => {
    for (let seed = 0; seed < 50; seed++) {
      const disk = await usedDisk(seed);
      const fork = disk.fork();
      expect(fork.crash({ survive: "random" })).toEqual(disk.crash({ survive: "random" }));
      expect(await contents(fork)).toEqual(await contents(disk));
      expect(fork.stateDigest()).toBe(disk.stateDigest());
    }
  });

  it("goes its own way, and so does the disk that it was made of", async () => {
    const disk = await usedDisk();
    const before = await contents(disk);
    const [one, two] = [disk.fork(), disk.fork()];
    const file = await one.open("dir/new");
    await file.writeAt(10, text("one"));
    await file.sync();
    one.removeDurably("phantom");
    await (await two.open("dir/new")).truncate(3);
    expect(await contents(disk)).toEqual(before);
    await (await disk.open("dir/new")).append(text("more"));
    expect(one.readFile("dir/new")).toHaveLength(4000);
    expect(asText(one.stableFile("phantom"))).toBeUndefined();
    expect(two.readFile("dir/new")).toHaveLength(3);
    expect(asText(two.readFile("phantom"))).toBe("durable or not");
  });

  it("keeps a file with two names one file", async () => {
    const disk = await usedDisk();
    disk.crash({ decide: (item) => (item.kind === "unlink" ? "lost" : "kept") });
    const fork = disk.fork();
    await (await fork.open("dir/moved")).append(text("y"));
    expect([asText(fork.readFile("other/moved")), asText(disk.readFile("dir/moved"))]).toEqual(["xy", "x"]);
  });

  it("has no open files and no lock holders: they are as good as killed", async () => {
    const disk = await usedDisk();
    expect((await disk.fork().lock("LOCK")).cleanStart).toBe(false);
    await rejectsWith("KAYA_LOCK_CONFLICT", disk.lock("LOCK"));
    const crashed = disk.fork();
    crashed.crash();
    expect((await crashed.lock("LOCK")).cleanStart).toBe(false);
  });

  it("has only the faults that it is given", async () => {
    const disk = new SimDisk({ faults: [{ at: 0, kind: "disk-full" }] });
    await disk.fork().open("file", { create: true });
    const fork = disk.fork({ faults: [{ at: 1, kind: "io-error" }] });
    const file = await fork.open("file", { create: true });
    await rejectsWith("KAYA_IO", file.append(text("x")));
    await rejectsWith("KAYA_DISK_FULL", disk.open("file", { create: true }));
  });

  it("costs nothing that grows with the bytes", async () => {
    const disk = new SimDisk();
    const length = 8 * 2 ** 20;
    disk.writeFile("file", new Uint8Array(length));
    const before = process.memoryUsage().arrayBuffers;
    const forks = Array.from({ length: 20 }, () => disk.fork());
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(length);
    expect(forks.every((fork) => fork.readFile("file")?.length === length)).toBe(true);
  });
});

describe("onOperation", () => {
  it("is called before each mutating operation takes effect, faulty ones too", async () => {
    const seen: [number, MutatingKind, string, string[]][] = [];
    const disk: SimDisk = new SimDisk({
      faults: [{ at: 2, kind: "disk-full" }],
      onOperation: (index, kind, path) => {
        const fork = disk.fork();
        fork.crash({ survive: "everything" });
        seen.push([index, kind, path, [asText(fork.readFile("file")) ?? "absent"]]);
      },
    });
    const file = await disk.open("file", { create: true });
    await file.append(text("a"));
    await rejectsWith("KAYA_DISK_FULL", file.append(text("b")));
    await disk.list("");
    await file.sync();
    expect(seen).toEqual([
      [0, "open", "file", ["absent"]],
      [1, "append", "file", [""]],
      [2, "append", "file", ["a"]],
      [3, "sync", "file", ["a"]],
    ]);
  });
});

describe("unsynced", () => {
  it("has every operation in the order of their making, also behind a name that was removed", async () => {
    const disk = await usedDisk();
    const { unsynced } = disk;
    expect(unsynced.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      "link dir/new",
      "write dir/new",
      "truncate dir/new",
      "write dir/old",
      "link dir/moved",
      "unlink other/moved",
      "unlink dir/old",
    ]);
    expect(unsynced.map(({ id }) => id)).toEqual(unsynced.map(({ id }) => id).sort((a, b) => a - b));
  });

  it("has what a crash that keeps everything decides on, with the same numbers", async () => {
    const disk = new SimDisk();
    const file = await disk.open("a/b/c", { create: true });
    await file.append(text("one"));
    await file.writeAt(10, text("two"));
    await file.truncate(5);
    await disk.rename("a/b/c", "a/b/d");
    const { items } = disk.fork().crash({ survive: "everything" });
    const byId = items.map(({ item }) => item).sort((a, b) => a.id - b.id);
    expect(disk.unsynced.map(({ id, kind }) => [id, kind])).toEqual(byId.map(({ id, kind }) => [id, kind]));
    expect(disk.unsynced.filter(({ kind }) => kind === "write" || kind === "truncate")).toMatchObject([
      { position: 0, length: 3, fileLength: 0 },
      { position: 10, length: 3, fileLength: 3 },
      { length: 5, fileLength: 13 },
    ]);
  });
});

describe("stateDigest", () => {
  it("is of names, bytes, lengths and locks", async () => {
    const base = () => {
      const disk = new SimDisk();
      disk.writeFile("a/b", text("bytes"));
      return disk;
    };
    const changes: ((disk: SimDisk) => unknown)[] = [
      (disk) => disk.writeFile("a/c", text("")),
      (disk) => disk.writeFile("a/b", text("Bytes")),
      (disk) => disk.truncateDurably("a/b", 6),
      (disk) => disk.truncateDurably("a/b", 4),
      (disk) => disk.removeDurably("a/b"),
      (disk) => disk.flipBit("a/b", 4, 7),
      (disk) => disk.breakRange("a/b", 0, 1),
      (disk) => disk.lock("LOCK"),
    ];
    const digests = changes.map((change) => {
      const disk = base();
      change(disk);
      return disk.stateDigest();
    });
    expect(new Set([base().stateDigest(), ...digests]).size).toBe(changes.length + 1);
    expect(base().stateDigest()).toBe(base().stateDigest());
  });

  it("says nothing of what is unsynced, unless it is asked to", async () => {
    const disk = new SimDisk();
    disk.writeFile("file", text("x"));
    const [stable, everything] = [disk.stateDigest(), disk.stateDigest("everything")];
    const file = await disk.open("file");
    await file.append(text("y"));
    expect(disk.stateDigest()).toBe(stable);
    expect(disk.stateDigest("everything")).not.toBe(everything);
    await file.sync();
    expect(disk.stateDigest()).not.toBe(stable);
  });

  it("tells many states apart", () => {
    const seen = new Set<number>();
    const bytes = new Uint8Array(16);
    for (let n = 0; n < 20_000; n++) {
      new DataView(bytes.buffer).setUint32(n % 12, n);
      const disk = new SimDisk();
      disk.writeFile("file", bytes);
      seen.add(disk.stateDigest());
    }
    expect(seen.size).toBe(20_000);
  });
});
