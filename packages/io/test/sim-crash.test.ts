import { describe, expect, it } from "vitest";
import { type CrashItem, SimDisk, type TornWrite } from "../src/index.js";
import { pattern, rejectsWith, text } from "../src/testing/check.js";

const asText = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

async function durable(disk: SimDisk, path: string, content: string) {
  disk.writeFile(path, text(content));
  return disk.open(path);
}

const paths = async (disk: SimDisk, dir = "") => (await disk.list(dir)).map((entry) => entry.path);

describe("a crash and the bytes of a file", () => {
  it("loses what was not synced", async () => {
    const disk = new SimDisk();
    const file = await durable(disk, "file", "durable");
    await file.append(text(" synced"));
    await file.sync();
    await file.append(text(" lost"));
    await file.writeAt(0, text("LOST"));
    expect(asText(disk.readFile("file"))).toBe("LOSTble synced lost");
    expect(asText(disk.stableFile("file"))).toBe("durable synced");
    disk.crash();
    expect(asText(disk.readFile("file"))).toBe("durable synced");
  });

  it("undoes an unsynced truncate", async () => {
    const disk = new SimDisk();
    const file = await durable(disk, "file", "durable");
    await file.truncate(2);
    disk.crash();
    expect(asText(disk.readFile("file"))).toBe("durable");
  });

  it("keeps everything where everything is to survive", async () => {
    const disk = new SimDisk();
    const file = await disk.open("dir/file", { create: true });
    await file.append(text("abcdef"));
    await file.truncate(3);
    const report = disk.crash({ survive: "everything" });
    expect(asText(disk.readFile("dir/file"))).toBe("abc");
    expect(report.items.map((item) => [item.kind, item.path, item.outcome])).toEqual([
      ["link", "dir", "kept"],
      ["link", "dir/file", "kept"],
      ["write", "dir/file", "kept"],
      ["truncate", "dir/file", "kept"],
    ]);
    disk.crash();
    expect(asText(disk.readFile("dir/file"))).toBe("abc");
  });

  it("keeps a later write without an earlier one, with a hole of zeros between", async () => {
    const disk = new SimDisk();
    const file = await durable(disk, "file", "a");
    await file.append(text("bb"));
    await file.append(text("c"));
    const kept = new Map([
      [1, "lost"],
      [3, "kept"],
    ] as const);
    disk.crash({
      decide: (item) => (item.kind === "write" ? (kept.get(item.position as 1) ?? "lost") : "lost"),
    });
    expect(asText(disk.readFile("file"))).toBe("a\0\0c");
  });

  it("syncs one file and not another", async () => {
    const disk = new SimDisk();
    const [one, two] = [await durable(disk, "one", ""), await durable(disk, "two", "")];
    await one.append(text("1"));
    await two.append(text("2"));
    await one.sync();
    disk.crash();
    expect([asText(disk.readFile("one")), asText(disk.readFile("two"))]).toEqual(["1", ""]);
  });

  it("syncs what every handle of the file wrote", async () => {
    const disk = new SimDisk();
    const [first, second] = [await durable(disk, "file", ""), await disk.open("file")];
    await first.append(text("a"));
    await second.sync();
    disk.crash();
    expect(asText(disk.readFile("file"))).toBe("a");
  });
});

describe("a torn write", () => {
  async function tear(torn: TornWrite, position = 0, length = 1200) {
    const disk = new SimDisk();
    const file = await durable(disk, "file", "o".repeat(600));
    await file.writeAt(position, new Uint8Array(length).fill(110));
    const report = disk.crash({ seed: 7, decide: () => torn });
    expect(report.items.map((item) => [item.outcome, item.torn])).toEqual([["torn", torn]]);
    return asText(disk.readFile("file"));
  }

  it("keeps the sectors that it says, and ends behind the last of them", async () => {
    const torn = { sectorBytes: 512, keptSectors: [1], rest: "old" } as const;
    expect(await tear(torn)).toBe("o".repeat(512) + "n".repeat(512));
    expect(await tear({ ...torn, keptSectors: [] })).toBe("o".repeat(600));
    expect(await tear({ ...torn, keptSectors: [0, 1, 2] })).toBe("n".repeat(1200));
  });

  it("counts sectors of the file, from the first one that the write touches", async () => {
    const torn = { sectorBytes: 512, keptSectors: [0], rest: "old" } as const;
    expect(await tear(torn, 500, 100)).toBe("o".repeat(500) + "n".repeat(12) + "o".repeat(88));
    expect(await tear({ ...torn, keptSectors: [1] }, 500, 100)).toBe("o".repeat(512) + "n".repeat(88));
    expect(await tear({ ...torn, sectorBytes: 4096 }, 500, 200)).toBe("o".repeat(500) + "n".repeat(200));
  });

  it("has a length that its data says nothing about", async () => {
    const torn = { sectorBytes: 512, keptSectors: [1], rest: "old" } as const;
    expect(await tear({ ...torn, fileLength: 1200 })).toBe(
      "o".repeat(512) + "n".repeat(512) + "\0".repeat(176),
    );
    expect(await tear({ ...torn, fileLength: 600 })).toBe("o".repeat(512) + "n".repeat(88));
    expect(await tear({ ...torn, fileLength: 0 })).toBe("o".repeat(512) + "n".repeat(88));
    expect(await tear({ ...torn, fileLength: 9999 })).toHaveLength(1200);
  });

  it("leaves zeros or garbage in the other sectors, inside its own range only", async () => {
    const torn = { sectorBytes: 512, keptSectors: [0], rest: "zeros", fileLength: 600 } as const;
    expect(await tear(torn, 500, 50)).toBe(
      "o".repeat(500) + "n".repeat(12) + "\0".repeat(38) + "o".repeat(50),
    );
    const garbage = (await tear({ ...torn, rest: "garbage" }, 500, 50)) ?? "";
    expect(garbage.slice(0, 512) + garbage.slice(-50)).toBe(
      "o".repeat(500) + "n".repeat(12) + "o".repeat(50),
    );
  });

  it("is for writes alone", async () => {
    const disk = new SimDisk();
    await disk.open("file", { create: true });
    const torn: TornWrite = { sectorBytes: 512, keptSectors: [], rest: "old" };
    expect(() => disk.crash({ decide: () => torn })).toThrow("only a write can be torn");
  });
});

describe("a crash and names", () => {
  it("loses a file whose directory was not synced, synced bytes and all", async () => {
    const disk = new SimDisk();
    const file = await disk.open("file", { create: true });
    await file.append(text("x"));
    await file.sync();
    disk.crash();
    expect(await disk.list("")).toEqual([]);
  });

  it("keeps a file whose directory was synced, without its unsynced bytes", async () => {
    const disk = new SimDisk();
    await (await disk.open("file", { create: true })).append(text("x"));
    await disk.syncDir("");
    disk.crash();
    expect(asText(disk.readFile("file"))).toBe("");
  });

  it.each([
    [["a/b", "a"], []],
    [["a/b", ""], ["a"]],
    [
      ["a", ""],
      ["a", "a/b"],
    ],
    [
      ["a/b", "a", ""],
      ["a", "a/b", "a/b/c"],
    ],
    [
      ["", "a", "a/b"],
      ["a", "a/b", "a/b/c"],
    ],
  ])("wants every directory on the way synced: %j leaves %j", async (synced, left) => {
    const disk = new SimDisk();
    await disk.open("a/b/c", { create: true });
    for (const dir of synced) await disk.syncDir(dir);
    disk.crash();
    expect([await paths(disk), await paths(disk, "a"), await paths(disk, "a/b")].flat()).toEqual(left);
  });

  it("makes a rename inside a directory whole or not at all", async () => {
    for (const outcome of ["kept", "lost"] as const) {
      const disk = new SimDisk();
      disk.writeFile("from", text("new"));
      disk.writeFile("to", text("old"));
      await disk.rename("from", "to");
      const report = disk.crash({ decide: () => outcome });
      const item: CrashItem = { kind: "rename", id: 7, path: "from", target: "to" };
      expect(report.items).toEqual([{ kind: "rename", path: "from", outcome, item }]);
      const left = Object.fromEntries((await paths(disk)).map((path) => [path, asText(disk.readFile(path))]));
      expect(left).toEqual(outcome === "kept" ? { to: "new" } : { from: "new", to: "old" });
    }
  });

  it("keeps a file that moves between directories where the target's is synced first", async () => {
    const disk = new SimDisk();
    disk.writeFile("a/file", text("x"));
    disk.writeFile("b/other", text(""));
    await disk.rename("a/file", "b/file");
    await disk.syncDir("b");
    disk.crash();
    expect([asText(disk.readFile("a/file")), asText(disk.readFile("b/file"))]).toEqual(["x", "x"]);
  });

  it("loses a file that moves between directories where only the source's is synced", async () => {
    const disk = new SimDisk();
    disk.writeFile("a/file", text("x"));
    disk.writeFile("b/other", text(""));
    await disk.rename("a/file", "b/file");
    await disk.syncDir("a");
    disk.crash();
    expect([disk.readFile("a/file"), disk.readFile("b/file")]).toEqual([undefined, undefined]);
  });

  it("brings back what was removed, until the directory is synced", async () => {
    const disk = new SimDisk();
    disk.writeFile("file", text("x"));
    await disk.remove("file");
    disk.crash();
    expect(asText(disk.readFile("file"))).toBe("x");
    await disk.remove("file");
    await disk.syncDir("");
    disk.crash({ survive: "everything" });
    expect(disk.readFile("file")).toBeUndefined();
  });

  it("decides nothing about what hangs on a lost name", async () => {
    const disk = new SimDisk();
    await (await disk.open("a/b/c", { create: true })).append(text("x"));
    const report = disk.crash({ decide: (item) => (item.path === "a/b" ? "lost" : "kept") });
    expect(report.items.map((item) => item.path)).toEqual(["a", "a/b"]);
    expect(await disk.list("a")).toEqual([]);
  });

  it("decides once about the bytes of a file that two names lead to", async () => {
    const disk = new SimDisk();
    const file = await durable(disk, "a/file", "");
    disk.writeFile("b/other", text(""));
    await disk.rename("a/file", "b/file");
    await file.append(text("x"));
    const report = disk.crash({ decide: (item) => (item.kind === "unlink" ? "lost" : "kept") });
    expect(report.items.map((item) => [item.kind, item.path])).toEqual([
      ["unlink", "a/file"],
      ["write", "a/file"],
      ["link", "b/file"],
    ]);
    expect(asText(disk.readFile("b/file"))).toBe("x");
  });
});

describe("after a crash", () => {
  it("open files are KAYA_CLOSED and say so, and only close is fine", async () => {
    const disk = new SimDisk();
    const file = await durable(disk, "file", "x");
    disk.crash();
    const uses = [file.length(), file.readAt(0, new Uint8Array(1)), file.append(text("y")), file.sync()];
    uses.push(file.writeAt(0, text("y")), file.truncate(0));
    for (const use of uses) await rejectsWith("KAYA_CLOSED", use);
    await expect(file.sync()).rejects.toThrow("the disk crashed");
    await file.close();
    expect(asText(disk.readFile("file"))).toBe("x");
    await (await disk.open("file")).append(text("y"));
  });

  it("locks are free, and the start is not clean: from inside a container its own start looks the same", async () => {
    const disk = new SimDisk();
    const dead = await disk.lock("LOCK");
    disk.crash();
    const lock = await disk.lock("LOCK");
    expect([dead.cleanStart, lock.cleanStart]).toEqual([false, false]);
    await dead.release({ clean: true });
    await rejectsWith("KAYA_LOCK_CONFLICT", disk.lock("LOCK"));
  });

  it("a second crash without work in between changes nothing", async () => {
    const disk = new SimDisk({ seed: 3 });
    const file = await durable(disk, "file", "");
    await file.append(pattern(10_000));
    disk.crash({ survive: "random" });
    const left = disk.readFile("file");
    expect(disk.crash({ survive: "random" }).items).toEqual([]);
    expect(disk.readFile("file")).toEqual(left);
  });
});

describe("killProcess", () => {
  it("takes open files and locks, and no byte and no name", async () => {
    const disk = new SimDisk();
    const lock = await disk.lock("LOCK");
    const file = await disk.open("dir/file", { create: true });
    await file.append(text("x"));
    disk.killProcess();
    await rejectsWith("KAYA_CLOSED", file.append(text("y")));
    await expect(file.length()).rejects.toThrow("its process was killed");
    expect(asText(disk.readFile("dir/file"))).toBe("x");
    await lock.release({ clean: true });
    const next = await disk.lock("LOCK");
    expect(next.cleanStart).toBe(false);
    disk.crash();
    expect(disk.readFile("dir/file")).toBeUndefined();
  });

  it("leaves a lock that was released before as it was", async () => {
    const disk = new SimDisk();
    await (await disk.lock("LOCK")).release({ clean: true });
    disk.killProcess();
    expect((await disk.lock("LOCK")).cleanStart).toBe(true);
  });
});
