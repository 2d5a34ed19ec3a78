import { describe, expect, it } from "vitest";
import { SimDisk } from "../src/index.js";
import { rejectsWith, text } from "../src/testing/check.js";

describe("a read error", () => {
  it("meets the reading operation with its index, once", async () => {
    const reads = [
      (disk: SimDisk) => disk.open("file"),
      (disk: SimDisk) => disk.list(""),
      async (disk: SimDisk) => (await disk.open("file", { create: true })).length(),
      async (disk: SimDisk) => (await disk.open("file", { create: true })).readAt(0, new Uint8Array(1)),
      async (disk: SimDisk) => (await disk.open("file", { create: true })).readAtSync(0, new Uint8Array(1)),
    ];
    for (const read of reads) {
      const disk = new SimDisk({ faults: [{ atRead: 0, kind: "read-error" }] });
      disk.writeFile("file", text("x"));
      await rejectsWith("KAYA_IO", read(disk));
      expect(disk.nextRead).toBe(1);
      expect(disk.events.find(({ readIndex }) => readIndex === 0)?.error).toBe("KAYA_IO");
      await read(disk);
    }
  });

  it("counts apart from mutating operations, and leaves them alone", async () => {
    const disk = new SimDisk({ faults: [{ atRead: 1, kind: "read-error" }] });
    const file = await disk.open("file", { create: true });
    await file.append(text("abc"));
    await file.length();
    expect([disk.nextOperation, disk.nextRead]).toEqual([2, 1]);
    await file.sync();
    await rejectsWith("KAYA_IO", file.readAt(0, new Uint8Array(3)));
    expect(await file.readAt(0, new Uint8Array(3))).toBe(3);
  });

  it("wants a sensible place", () => {
    const rule = { atRead: -1, kind: "read-error" } as const;
    expect(() => new SimDisk({ faults: [rule] })).toThrow("fault: atRead must be a whole number");
  });
});

describe("breakRange", () => {
  it("fails every read that touches it, for good: after a write, a rename, a crash, on a fork", async () => {
    const disk = new SimDisk();
    disk.writeFile("file", text("0123456789"));
    disk.breakRange("file", 4, 6);
    const check = async (on: SimDisk, path: string) => {
      const file = await on.open(path);
      const read = (position: number, length: number) => file.readAt(position, new Uint8Array(length));
      expect([await read(0, 4), await read(6, 10)]).toEqual([4, 4]);
      for (const [position, length] of [
        [0, 5],
        [5, 1],
        [4, 2],
        [0, 10],
      ] as const) {
        await rejectsWith("KAYA_IO", read(position, length));
        await rejectsWith("KAYA_IO", (async () => file.readAtSync(position, new Uint8Array(length)))());
      }
    };
    await check(disk, "file");
    const file = await disk.open("file");
    await file.writeAt(4, text("xx"));
    await file.sync();
    await disk.rename("file", "other");
    await disk.syncDir("");
    await check(disk, "other");
    await check(disk.fork(), "other");
    disk.crash();
    await check(disk, "other");
  });
});

describe("truncateDurably", () => {
  it("cuts and extends behind everyone's back", async () => {
    const disk = new SimDisk();
    disk.writeFile("file", text("abcdef"));
    disk.truncateDurably("file", 3);
    disk.truncateDurably("file", 5);
    disk.crash();
    expect(disk.readFile("file")).toEqual(text("abc\0\0"));
    expect(disk.events).toEqual([]);
    expect(() => disk.truncateDurably("absent", 0)).toThrow("does not exist");
  });
});
