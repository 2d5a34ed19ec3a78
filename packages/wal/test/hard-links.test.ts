import { execFileSync } from "node:child_process";
import { readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { NodeDisk, SimDisk } from "@kaya/io";
import { afterAll, describe, expect, it, vi } from "vitest";
import { recoverWal, WalWriter, writeSealedFile } from "../src/index.js";
import { put, segmentPath } from "./support.js";
import { temporaryDirectories } from "./temporary-directory.js";

vi.setConfig({ testTimeout: 120_000 });

const ONE = segmentPath(1);

const directories = temporaryDirectories();
afterAll(() => directories.remove());

async function closedLog(disk: SimDisk | NodeDisk): Promise<void> {
  const writer = await WalWriter.open({}, disk);
  for (let n = 0; n < 5; n++) await writer.append(put(`key ${n}`));
  await writer.close();
}

async function linkedLog(): Promise<{ disk: SimDisk; before: Uint8Array | undefined }> {
  const disk = new SimDisk();
  await closedLog(disk);
  disk.linkDurably(ONE, "copy");
  return { disk, before: disk.readFile("copy") };
}

describe("R7: a segment that has another name", () => {
  for (const trustPageCache of [true, false]) {
    const how = trustPageCache ? "trusted" : "not trusted";
    it(`is not appended to: a new file takes its name (page cache ${how})`, async () => {
      const { disk, before } = await linkedLog();
      const writer = await WalWriter.open({}, disk, { trustPageCache });
      await writer.append(put("later"));
      await writer.close();
      expect(disk.readFile("copy")).toEqual(before);
      expect((await recoverWal({}, disk)).recordCount).toBe(6);
    });

    it(`is not cut (page cache ${how})`, async () => {
      const { disk } = await linkedLog();
      disk.truncateDurably(ONE, (before(disk)?.length ?? 0) - 3);
      const torn = before(disk);
      const report = await recoverWal({}, disk, { trustPageCache });
      expect(report.recordCount).toBe(4);
      expect(disk.readFile("copy")).toEqual(torn);
      expect(disk.readFile(ONE)?.length).toBe(report.validBytes);
    });
  }

  it("is left as it is where nothing is cut and nothing will be appended", async () => {
    const { disk } = await linkedLog();
    const operations = disk.nextOperation;
    await recoverWal({}, disk);
    const changes = disk.events.filter(({ index = -1 }) => index >= operations).map(({ kind }) => kind);
    expect(changes.filter((kind) => !kind.startsWith("sync"))).toEqual([]);
  });

  it("opens on a full disk, and takes no append until there is room for a file of its own", async () => {
    const { disk, before } = await linkedLog();
    for (let at = 0; at < 8; at++) disk.addFault({ at: disk.nextOperation + at, kind: "disk-full" });
    const writer = await WalWriter.open({}, disk, { trustPageCache: true });
    expect(writer.recovery.recordCount).toBe(5);
    await expect(writer.append(put("later"))).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    while (disk.nextOperation < 40) await disk.remove("nothing");
    await writer.append(put("later"));
    await writer.close();
    expect(disk.readFile("copy")).toEqual(before);
    expect((await recoverWal({}, disk)).recordCount).toBe(6);
  });

  const before = (disk: SimDisk) => disk.readFile("copy");
});

it("R7: what a crash left under a temporary name is removed, not emptied", async () => {
  const disk = new SimDisk();
  await closedLog(disk);
  const left = new Uint8Array([1, 2, 3]);
  for (const name of [`${ONE}.tmp`, "names.tmp"]) {
    disk.writeFile(name, left);
    disk.linkDurably(name, `copies/${name}`);
  }
  await (await WalWriter.open({}, disk)).close();
  await writeSealedFile(disk, "names", "text\n");
  expect(disk.readFile(`copies/${ONE}.tmp`)).toEqual(left);
  expect(disk.readFile("copies/names.tmp")).toEqual(left);
});

describe.skipIf(process.platform !== "linux")("a copy by `cp -al` (Linux)", () => {
  it.each([0, 3])("keeps its bytes, with %i bytes torn off before", async (torn) => {
    const root = join(await directories.make(), "data");
    const disk = new NodeDisk(root);
    await closedLog(disk);
    const { length } = await readFile(join(root, ONE));
    await truncate(join(root, ONE), length - torn);
    execFileSync("cp", ["-al", root, `${root}-copy`]);
    const before = await readFile(join(`${root}-copy`, ONE));
    for (const trustPageCache of [true, false]) {
      const writer = await WalWriter.open({}, disk, { trustPageCache });
      await writer.append(put("later"));
      await writer.close();
      expect(await readFile(join(`${root}-copy`, ONE))).toEqual(before);
    }
  });
});
