import { describe, expect, it, vi } from "vitest";
import { type FaultRule, SimDisk } from "../src/index.js";
import { pattern, rejectsWith, text } from "../src/testing/check.js";

vi.setConfig({ testTimeout: 120_000 });

const asText = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

/** A durable file, and the disk about to do operation 0. */
async function prepared(content = "old", path = "file") {
  const disk = new SimDisk();
  disk.writeFile(path, text(content));
  return { disk, file: await disk.open(path) };
}

describe("fault rules", () => {
  it("count mutating operations from 0, whatever came between", async () => {
    const disk = new SimDisk({ faults: [{ at: 4, kind: "io-error" }] });
    expect(disk.nextOperation).toBe(0);
    const file = await disk.open("file", { create: true });
    await (await disk.lock("LOCK")).release();
    await disk.open("file");
    await disk.open("file", { create: true });
    await file.append(text("a"));
    await file.readAt(0, new Uint8Array(1));
    await file.length();
    await disk.list("");
    await disk.syncDir("");
    expect(disk.nextOperation).toBe(4);
    await rejectsWith("KAYA_IO", file.truncate(0));
    await file.truncate(0);
    expect(disk.nextOperation).toBe(6);
  });

  it("do not count what never reached the disk", async () => {
    const { disk, file } = await prepared();
    const readOnly = await disk.open("file", { readOnly: true });
    await rejectsWith("KAYA_INVALID_ARGUMENT", disk.remove("../x"));
    await rejectsWith("KAYA_INVALID_ARGUMENT", file.truncate(-1));
    await rejectsWith("KAYA_INVALID_ARGUMENT", readOnly.sync());
    await file.close();
    await rejectsWith("KAYA_CLOSED", file.sync());
    expect(disk.nextOperation).toBe(0);
  });

  it("do nothing where they do not fit", async () => {
    const kinds: readonly FaultRule[] = [
      { at: 0, kind: "fsync-failed" },
      { at: 1, kind: "disk-full" },
      { at: 2, kind: "partial-write", bytes: 0 },
      { at: 3, kind: "disk-full" },
      { at: 4, kind: "fsync-failed" },
      { at: 5, kind: "partial-write", bytes: 0 },
    ];
    const disk = new SimDisk({ faults: kinds });
    const file = await disk.open("file", { create: true });
    await file.sync();
    await file.truncate(1);
    await disk.rename("file", "other");
    await file.append(text("b"));
    await disk.remove("absent");
    expect(asText(disk.readFile("other"))).toBe("\0b");
  });

  it("of one operation: the first that fits counts", async () => {
    const { disk, file } = await prepared();
    disk.addFault({ at: 0, kind: "fsync-failed" });
    disk.addFault({ at: 0, kind: "disk-full" });
    disk.addFault({ at: 0, kind: "io-error" });
    await rejectsWith("KAYA_DISK_FULL", file.append(text("x")));
  });

  it("that make no sense are KAYA_INVALID_ARGUMENT", () => {
    const wrong = [
      { at: -1, kind: "io-error" },
      { at: 0.5, kind: "io-error" },
      { at: 0, kind: "partial-write", bytes: -1 },
      { at: 0, kind: "meteor" },
    ] as readonly FaultRule[];
    for (const rule of wrong) expect(() => new SimDisk({ faults: [rule] })).toThrow("fault:");
  });
});

describe("io-error", () => {
  it("is KAYA_IO and changes nothing", async () => {
    const { disk, file } = await prepared();
    const calls = [
      () => disk.open("dir/new", { create: true }),
      () => file.append(text("x")),
      () => file.writeAt(0, text("x")),
      () => file.truncate(0),
      () => disk.rename("file", "dir/other"),
      () => disk.remove("file"),
    ];
    for (const call of calls) {
      disk.addFault({ at: disk.nextOperation, kind: "io-error" });
      await rejectsWith("KAYA_IO", call());
    }
    expect(await disk.list("")).toEqual([{ path: "file", isDirectory: false, length: 3 }]);
    expect(disk.crash().items).toEqual([]);
  });

  it("is KAYA_IO and a change all the same where its outcome is kept", async () => {
    const { disk, file } = await prepared();
    const calls = [
      () => disk.open("dir/new", { create: true }),
      () => file.append(text("x")),
      () => file.writeAt(0, text("b")),
      () => file.truncate(3),
      () => disk.rename("file", "dir/other"),
      () => disk.remove("dir/new"),
    ];
    for (const call of calls) {
      disk.addFault({ at: disk.nextOperation, kind: "io-error", outcome: "kept" });
      await rejectsWith("KAYA_IO", call());
    }
    expect(await disk.list("dir")).toEqual([{ path: "dir/other", isDirectory: false, length: 3 }]);
    expect(asText(disk.readFile("dir/other"))).toBe("bld");
    expect(disk.unsynced.map(({ kind }) => kind)).toContain("unlink");
  });

  it("is a failed fsync on sync and syncDir", async () => {
    const { disk, file } = await prepared();
    disk.addFault({ at: 0, kind: "io-error" });
    disk.addFault({ at: 1, kind: "io-error" });
    await rejectsWith("KAYA_FSYNC_FAILED", file.sync());
    await rejectsWith("KAYA_FSYNC_FAILED", disk.syncDir(""));
  });
});

describe("disk-full and partial-write", () => {
  it("disk-full writes nothing", async () => {
    const { disk, file } = await prepared();
    for (const call of [() => file.append(text("x")), () => file.writeAt(1, text("x"))]) {
      disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
      await rejectsWith("KAYA_DISK_FULL", call());
    }
    expect(asText(disk.readFile("file"))).toBe("old");
  });

  it("partial-write writes the first bytes, across parts, and they are as volatile as any", async () => {
    const { disk, file } = await prepared();
    disk.addFault({ at: 0, kind: "partial-write", bytes: 3 });
    await rejectsWith("KAYA_DISK_FULL", file.append([text("ab"), text("cd")]));
    expect(asText(disk.readFile("file"))).toBe("oldabc");
    disk.addFault({ at: 1, kind: "partial-write", bytes: 1 });
    await rejectsWith("KAYA_DISK_FULL", file.writeAt(0, text("XY")));
    expect(asText(disk.readFile("file"))).toBe("Xldabc");
    disk.crash();
    expect(asText(disk.readFile("file"))).toBe("old");
  });

  it("partial-write rejects also where all the bytes fit", async () => {
    const { disk, file } = await prepared();
    disk.addFault({ at: 0, kind: "partial-write", bytes: 100 });
    await rejectsWith("KAYA_DISK_FULL", file.append(text("abc")));
    expect(asText(disk.readFile("file"))).toBe("oldabc");
  });

  it("both keep a creating open from creating anything", async () => {
    const disk = new SimDisk({
      faults: [
        { at: 0, kind: "disk-full" },
        { at: 1, kind: "partial-write", bytes: 9 },
      ],
    });
    await rejectsWith("KAYA_DISK_FULL", disk.open("dir/file", { create: true }));
    await rejectsWith("KAYA_DISK_FULL", disk.open("dir/file", { create: true }));
    expect(await disk.list("")).toEqual([]);
    await disk.open("dir/file", { create: true });
  });
});

describe("a failed sync", () => {
  /** "old", then " phantom" appended and its sync failed. */
  async function phantom(outcome?: "readable-until-crash" | "kept" | "lost") {
    const { disk, file } = await prepared();
    await file.append(text(" phantom"));
    const rule: FaultRule = { at: disk.nextOperation, kind: "fsync-failed" };
    disk.addFault(outcome === undefined ? rule : { ...rule, outcome });
    await rejectsWith("KAYA_FSYNC_FAILED", file.sync());
    return { disk, file };
  }

  it("leaves bytes that read back and that a crash takes away, whatever is synced later", async () => {
    const { disk, file } = await phantom();
    expect(asText(disk.readFile("file"))).toBe("old phantom");
    await file.sync();
    disk.killProcess();
    await (await disk.open("file")).sync();
    expect(asText(disk.readFile("file"))).toBe("old phantom");
    expect(asText(disk.stableFile("file"))).toBe("old");
    expect(disk.crash({ survive: "everything" }).items).toEqual([]);
    expect(asText(disk.readFile("file"))).toBe("old");
  });

  it("leaves a hole where something behind it was synced", async () => {
    const { disk, file } = await phantom();
    await file.append(text("!"));
    await file.sync();
    expect(asText(disk.readFile("file"))).toBe("old phantom!");
    disk.crash();
    expect(asText(disk.readFile("file"))).toBe(`old${"\0".repeat(8)}!`);
  });

  it("is made good by writing the same range again and syncing it", async () => {
    const { disk, file } = await phantom();
    await file.writeAt(3, text(" pha"));
    await file.sync();
    disk.crash();
    expect(asText(disk.readFile("file"))).toBe("old pha");
  });

  it("is made good by a copy in a new file", async () => {
    const { disk } = await phantom();
    const copy = await disk.open("copy", { create: true });
    await copy.append(disk.readFile("file") ?? new Uint8Array(0));
    await copy.sync();
    await disk.rename("copy", "file");
    await disk.syncDir("");
    disk.crash();
    expect(asText(disk.readFile("file"))).toBe("old phantom");
  });

  it("of a truncate: the cut bytes come back in a crash, unless it is done and synced again", async () => {
    for (const again of [false, true]) {
      const { disk, file } = await prepared("0123456789");
      await file.truncate(4);
      disk.addFault({ at: disk.nextOperation, kind: "fsync-failed" });
      await rejectsWith("KAYA_FSYNC_FAILED", file.sync());
      expect(asText(disk.readFile("file"))).toBe("0123");
      if (again) await file.truncate(4);
      await file.append(text("ab"));
      await file.sync();
      expect(asText(disk.readFile("file"))).toBe("0123ab");
      disk.crash();
      expect(asText(disk.readFile("file"))).toBe(again ? "0123ab" : "0123ab6789");
    }
  });

  it("of a file in which nothing was unsynced loses nothing", async () => {
    const { disk, file } = await prepared();
    disk.addFault({ at: 0, kind: "fsync-failed", outcome: "lost" });
    await rejectsWith("KAYA_FSYNC_FAILED", file.sync());
    expect(asText(disk.readFile("file"))).toBe("old");
  });

  it("with the outcome kept: everything reached the disk all the same", async () => {
    const { disk } = await phantom("kept");
    disk.crash();
    expect(asText(disk.readFile("file"))).toBe("old phantom");
  });

  it("with the outcome lost: the bytes vanish at once", async () => {
    const { disk, file } = await phantom("lost");
    expect(asText(disk.readFile("file"))).toBe("old");
    expect(await file.append(text("!"))).toBe(3);
  });
});

describe("a failed syncDir", () => {
  async function failedSyncDir(outcome?: "kept" | "lost") {
    const disk = new SimDisk();
    disk.writeFile("removed", text("r"));
    disk.writeFile("from", text("f"));
    await disk.open("made", { create: true });
    await disk.remove("removed");
    await disk.rename("from", "to");
    const rule: FaultRule = { at: disk.nextOperation, kind: "fsync-failed" };
    disk.addFault(outcome === undefined ? rule : { ...rule, outcome });
    await rejectsWith("KAYA_FSYNC_FAILED", disk.syncDir(""));
    return disk;
  }
  const names = async (disk: SimDisk) => (await disk.list("")).map((entry) => entry.path);

  it("leaves names unsynced: a crash may undo them", async () => {
    const disk = await failedSyncDir();
    expect(await names(disk)).toEqual(["made", "to"]);
    disk.crash();
    expect(await names(disk)).toEqual(["from", "removed"]);
  });

  it("is made good by a later one that succeeds: a journal that cannot be written does not go on", async () => {
    const disk = await failedSyncDir();
    await disk.syncDir("");
    disk.crash();
    expect(await names(disk)).toEqual(["made", "to"]);
  });

  it("with the outcome kept or lost: at once the one or the other", async () => {
    expect(await names(await failedSyncDir("lost"))).toEqual(["from", "removed"]);
    const kept = await failedSyncDir("kept");
    kept.crash();
    expect(await names(kept)).toEqual(["made", "to"]);
  });
});

describe("the cost of an operation", () => {
  it("does not grow with the file: twenty thousand synced appends are no work", async () => {
    const disk = new SimDisk();
    const file = await disk.open("file", { create: true });
    const record = pattern(1024);
    for (let i = 0; i < 20_000; i++) {
      await file.append(record);
      await file.sync();
    }
    expect(await file.length()).toBe(20_000 * 1024);
  }, 20_000);
});

describe("no descriptors", () => {
  it("fail what must open something, and not the sync of what is held open", async () => {
    const disk = new SimDisk();
    await (await disk.open("held/file", { create: true })).close();
    disk.writeFile("other/file", new Uint8Array(1));
    const next = (kind: "no-descriptors") => disk.addFault({ at: disk.nextOperation, kind });
    next("no-descriptors");
    await disk.syncDir("held");
    next("no-descriptors");
    await disk.rename("held/file", "held/renamed");
    for (const run of [
      () => disk.syncDir("other"),
      () => disk.rename("held/renamed", "other/renamed"),
      () => disk.open("held/new", { create: true }),
    ]) {
      next("no-descriptors");
      await rejectsWith("KAYA_IO", run());
    }
    for (const run of [() => disk.list("held"), () => disk.open("held/renamed")]) {
      disk.addFault({ atRead: disk.nextRead, kind: "no-descriptors" });
      await rejectsWith("KAYA_IO", run());
    }
    const file = await disk.open("held/renamed");
    disk.addFault({ atRead: disk.nextRead, kind: "no-descriptors" });
    expect(await file.length()).toBe(0);
    expect((await disk.list("held")).map(({ path }) => path)).toEqual(["held/renamed"]);
  });
});
