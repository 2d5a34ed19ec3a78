import { describe, expect, it } from "vitest";
import { SimDisk } from "../src/index.js";
import { rejectsWith, text } from "../src/testing/check.js";

describe("a schedule of faults", () => {
  it("counts the second fault from the first on, whatever came before", async () => {
    const disk = new SimDisk();
    const file = await disk.open("file", { create: true });
    const schedule = disk.scheduleFaults({ kind: "io-error", after: 1 }, { kind: "disk-full", after: 1 });
    await file.append(text("a"));
    expect(schedule.passed).toBe(1);
    await rejectsWith("KAYA_IO", file.append(text("b")));
    await file.append(text("c"));
    await file.sync(); // no disk-full meets it, and it does not count
    await rejectsWith("KAYA_DISK_FULL", file.append(text("d")));
    await file.append(text("e"));
    expect(schedule.met.map(({ index, operation, path }) => [index, operation, path])).toEqual([
      [2, "append", "file"],
      [5, "append", "file"],
    ]);
    expect(new TextDecoder().decode(disk.readFile("file"))).toBe("ace");
  });

  it("meets operations of one kind alone where it is told so, and reads where the fault is one of reading", async () => {
    const disk = new SimDisk();
    const file = await disk.open("file", { create: true });
    const schedule = disk.scheduleFaults(
      { kind: "io-error", only: "remove", after: 0 },
      { kind: "read-error", after: 1 },
    );
    await file.append(text("a"));
    await file.length();
    await rejectsWith("KAYA_IO", disk.remove("file"));
    await file.length();
    await rejectsWith("KAYA_IO", disk.list(""));
    await disk.remove("file");
    expect(schedule.met.map(({ operation }) => operation)).toEqual(["remove", "list"]);
  });

  it("strikes no more once it was cancelled, and not on a fork", async () => {
    const disk = new SimDisk();
    const schedule = disk.scheduleFaults({ kind: "io-error", after: 0 });
    await disk.fork().syncDir("");
    schedule.cancel();
    await disk.syncDir("");
    expect(schedule.met).toEqual([]);
  });

  it("leaves an operation that one of several strikes to that one", async () => {
    const disk = new SimDisk();
    const first = disk.scheduleFaults({ kind: "io-error", after: 0 });
    const second = disk.scheduleFaults({ kind: "fsync-failed", after: 0, outcome: "kept" });
    await rejectsWith("KAYA_FSYNC_FAILED", disk.syncDir(""));
    expect([first.met.length, second.met.length]).toEqual([1, 0]);
    await rejectsWith("KAYA_FSYNC_FAILED", disk.syncDir(""));
    expect(second.met.length).toBe(1);
  });

  it("is refused where a wait or a kind is none", async () => {
    const disk = new SimDisk();
    expect(() => disk.scheduleFaults({ kind: "io-error", after: -1 })).toThrow("fault: after must be");
    expect(() => disk.scheduleFaults({ kind: "hail" as "io-error", after: 0 })).toThrow("is not one of");
    expect(() => disk.scheduleFaults({ kind: "partial-write", bytes: 0.5, after: 0 })).toThrow(
      "bytes must be",
    );
  });
});
