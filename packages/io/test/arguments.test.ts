import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { assertDisk, type Disk, NodeDisk, readLockNote, SimDisk } from "../src/index.js";
import { rejectsWith } from "../src/testing/check.js";
import { temporaryDirectories } from "./temporary-directory.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

const polluted = Object.prototype as Record<string, unknown>;
afterEach(() => {
  for (const name of ["create", "readOnly", "clean", "mark", "seed"]) delete polluted[name];
});

function transfer(bytes: Uint8Array): Uint8Array {
  structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] });
  return bytes;
}

const DISKS: [string, () => Promise<Disk>][] = [
  ["NodeDisk", async () => new NodeDisk(await directories.make())],
  ["SimDisk", async () => new SimDisk()],
];

describe.each(DISKS)("%s", (_, makeDisk) => {
  it("takes the bytes of another realm, and copies those of a Buffer", async () => {
    const disk = await makeDisk();
    const file = await disk.open("file", { create: true });
    const foreign = runInContext("[new Uint8Array([1, 2]), new Uint8Array([3])]", createContext({}));
    expect(await file.append(foreign[0])).toBe(0);
    expect(await file.append(foreign)).toBe(2);
    const buffer = Buffer.from([7]);
    const written = file.writeAt(0, buffer);
    await written;
    buffer[0] = 9;
    const into = new Uint8Array(5);
    expect(await file.readAt(0, into)).toBe(5);
    expect([...into]).toEqual([7, 2, 1, 2, 3]);
    await file.close();
  });

  it("refuses bytes whose memory is gone: they would be written as none", async () => {
    const disk = await makeDisk();
    const file = await disk.open("file", { create: true });
    const gone = transfer(new Uint8Array(3));
    await rejectsWith("KAYA_INVALID_ARGUMENT", file.append(gone));
    await rejectsWith("KAYA_INVALID_ARGUMENT", file.append([new Uint8Array(1), gone]));
    await rejectsWith("KAYA_INVALID_ARGUMENT", file.writeAt(0, gone));
    await rejectsWith("KAYA_INVALID_ARGUMENT", file.readAt(0, gone));
    expect(await file.length()).toBe(0);
    await file.close();
  });

  it("obeys no options of a polluted Object.prototype, and refuses unknown ones", async () => {
    const disk = await makeDisk();
    const lock = await disk.lock("LOCK");
    Object.assign(polluted, { create: true, clean: true, mark: "m" });
    await rejectsWith("KAYA_NOT_FOUND", disk.open("absent"));
    await rejectsWith("KAYA_NOT_FOUND", disk.open("absent", {}));
    await lock.release({});
    const next = await disk.lock("LOCK");
    expect([next.cleanStart, next.mark]).toEqual([false, undefined]);
    await next.release();
    await rejectsWith("KAYA_INVALID_ARGUMENT", disk.open("file", { creat: true } as object));
    expect((await disk.list("")).map(({ path }) => path)).not.toContain("file");
  });
});

describe("NodeDisk", () => {
  it("refuses a root that is no path", () => {
    for (const root of [undefined, null, 1, "", "a\0b", {}]) {
      expect(() => new NodeDisk(root as string)).toThrow("a disk's root is a path");
    }
  });

  it("says that bytes went away while they waited, and never that they were written", async () => {
    const root = await directories.make();
    const file = await new NodeDisk(root).open("file", { create: true });
    const bytes = new Uint8Array(1024 * 1024);
    const before = file.sync(); // what is behind it waits
    const written = file.append(bytes);
    transfer(bytes);
    await rejectsWith("KAYA_INVALID_ARGUMENT", written);
    await before;
    await file.close();
    expect(await readFile(join(root, "file"))).toHaveLength(0);
  });
});

it("a SimDisk has no options of a polluted Object.prototype, and refuses unknown ones", () => {
  polluted.seed = "not a number";
  expect(() => new SimDisk({})).not.toThrow();
  expect(() => new SimDisk({ sed: 1 } as object)).toThrow("unknown option sed");
});

describe("what is no disk", () => {
  const { proxy, revoke } = Proxy.revocable(new SimDisk(), {});
  revoke();

  it.each([
    ["nothing", undefined, "a disk must have open(), list()"],
    ["half a disk", { open: () => undefined }, "a disk must have list(), rename()"],
    ["a proxy that was revoked", proxy, "a disk cannot be read"],
  ])("is told: %s", async (_, disk, message) => {
    expect(() => assertDisk(disk)).toThrow(message);
    await rejectsWith("KAYA_INVALID_ARGUMENT", readLockNote(disk as Disk, "LOCK"));
  });

  it("is neither of ours", async () => {
    for (const [, makeDisk] of DISKS) assertDisk(await makeDisk());
  });
});
