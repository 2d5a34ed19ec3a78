import { open, readFile, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { type DiskFile, NodeDisk, type OpenOptions } from "@kaya/io";
import { afterAll, describe, expect, it, vi } from "vitest";
import { inspectWal, isWarning, recoverWal, WalWriter } from "../src/index.js";
import { fill, PassingDisk, put, segmentPath } from "./support.js";
import { temporaryDirectories } from "./temporary-directory.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 120_000 });

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const ONE = segmentPath(1);

const directories = temporaryDirectories();
afterAll(() => directories.remove());

/** A disk that counts the bytes that are read. */
class CountingDisk extends PassingDisk {
  bytes = 0;

  override async open(path: string, options?: OpenOptions): Promise<DiskFile> {
    const file = await this.inner.open(path, options);
    const readAt = async (position: number, into: Uint8Array) => {
      const read = await file.readAt(position, into);
      this.bytes += read;
      return read;
    };
    return new Proxy(file, {
      get: (target, key) => {
        if (key === "readAt") return readAt;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}

async function logOf(length: number): Promise<{ root: string; disk: CountingDisk; valid: number }> {
  const root = await directories.make();
  const disk = new NodeDisk(root);
  const writer = await WalWriter.open({}, disk);
  for (let n = 0; n < 3; n++) await writer.append(put(`key ${n}`));
  await writer.close();
  const valid = (await stat(join(root, ONE))).size;
  await truncate(join(root, ONE), length);
  return { root, disk: new CountingDisk(disk), valid };
}

async function writeAt(path: string, position: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "r+");
  await file.write(bytes, 0, bytes.length, position);
  await file.close();
}

const allocated = async (path: string) => (await stat(path)).blocks * 512;

describe.skipIf(process.platform !== "linux")("a sparse segment (Linux)", () => {
  it.each([3 * GIB, 1024 * GIB])("of %i bytes is refused in every mode, and hardly read", async (length) => {
    const { root, disk, valid } = await logOf(length);
    for (const recovery of ["tail", "prefix", "absolute"] as const) {
      disk.bytes = 0;
      await expect(recoverWal({ recovery }, disk)).rejects.toMatchObject({
        code: "KAYA_CORRUPTION",
        message: expect.stringContaining(`truncate -s ${valid})`),
      });
      expect(disk.bytes).toBeLessThan(4 * MIB);
    }
    expect((await stat(join(root, ONE))).size).toBe(length);
    await truncate(join(root, ONE), valid);
    expect((await recoverWal({}, disk)).recordCount).toBe(3);
  });

  it("that is a later one, and would have to be kept, is refused too", async () => {
    const { root, disk, valid } = await logOf(0);
    await truncate(join(root, ONE), valid);
    await writeAt(join(root, segmentPath(1)), 0, fill(100));
    const later = await (disk as PassingDisk).open(segmentPath(2), { create: true });
    await later.truncate(3 * GIB);
    await later.close();
    disk.bytes = 0;
    await expect(recoverWal({ recovery: "prefix" }, disk)).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    expect(disk.bytes).toBeLessThan(4 * MIB);
  });

  it("with zeros behind its end is cut, and read once", async () => {
    const { disk, valid, root } = await logOf(200 * MIB);
    const report = await recoverWal({}, disk);
    expect(report).toMatchObject({ recordCount: 3, quarantined: [] });
    expect(disk.bytes).toBeLessThan(210 * MIB);
    expect((await stat(join(root, ONE))).size).toBe(valid);
  });

  it("with a hole before other bytes is kept with its hole", async () => {
    const { root, disk, valid } = await logOf(100 * MIB);
    await writeAt(join(root, ONE), 50 * MIB, Buffer.from("something else"));
    const { quarantined } = await recoverWal({}, disk);
    const copy = join(root, quarantined[0] ?? "");
    expect((await stat(copy)).size).toBe(50 * MIB + 512 - valid); // the rest of its sector too
    expect(await allocated(copy)).toBeLessThan(4 * MIB);
    const bytes = await readFile(copy);
    expect(bytes.indexOf("something else")).toBe(50 * MIB - valid);
    expect(bytes.filter((byte) => byte !== 0)).toHaveLength("something else".replaceAll("\0", "").length);
    expect((await recoverWal({}, disk)).warnings).toEqual([]);
  });

  it("is inspected as far as its records go, and what is behind them is hardly read", async () => {
    const { disk } = await logOf(3 * GIB);
    const warnings = [];
    let records = 0;
    for await (const item of inspectWal(disk, ONE)) {
      if (isWarning(item)) warnings.push(item);
      else records++;
    }
    expect(records).toBe(3);
    expect(warnings.map(({ kind }) => kind)).toEqual(["BadMagic"]);
    expect(disk.bytes).toBeLessThan(4 * MIB);
  });
});
