import { execFile } from "node:child_process";
import { mkdir, open, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { NodeDisk } from "@kaya/io";
import { afterAll, describe, expect, it, vi } from "vitest";
import { encodeRecord, recoverWal, WalWriter } from "../src/index.js";
import { batch, del, fill, noop, numbered, plain, put, segmentPath } from "./support.js";
import { temporaryDirectories } from "./temporary-directory.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 120_000 });

const directories = temporaryDirectories();
afterAll(() => directories.remove());

const PAYLOADS = [put("a"), batch(put("b"), del("a")), noop, del("b"), put("", ""), put("c", fill(70_000))];
const CONFIG = { segmentMaxBytes: 70_320 };

async function written(): Promise<{ root: string; disk: NodeDisk }> {
  const root = await directories.make();
  const disk = new NodeDisk(root);
  const writer = await WalWriter.open(CONFIG, disk);
  await Promise.all(
    [...PAYLOADS, ...PAYLOADS].map((payload, index) =>
      writer.append(payload, index % 2 ? "relaxed" : "strict"),
    ),
  );
  await writer.close();
  return { root, disk };
}

describe("on the real disk", () => {
  it("what was written comes back, and the writer goes on", async () => {
    const { root, disk } = await written();
    expect((await readdir(join(root, "wal"))).sort()).toEqual([
      "0000000000000001.wal",
      "0000000000000002.wal",
    ]);
    const writer = await WalWriter.open(CONFIG, disk);
    expect(plain(writer.recovery.records)).toEqual(plain(numbered([...PAYLOADS, ...PAYLOADS])));
    expect(writer.recovery.warnings).toEqual([]);
    expect((await writer.append(put("more"))).lsn).toBe(13);
    await writer.close();
    expect((await recoverWal(CONFIG, disk)).recordCount).toBe(13);
    expect(await readdir(join(root, "wal"))).toHaveLength(3);
  });

  it("a torn tail is cut, damage in it is kept, and dry runs leave every byte", async () => {
    const { root, disk } = await written();
    const path = join(root, segmentPath(2));
    await truncate(path, (await stat(path)).size - 1000);
    const torn = await readFile(path);
    expect((await recoverWal(CONFIG, disk, { dryRun: true })).recordCount).toBe(11);
    expect(await readFile(path)).toEqual(torn);
    expect(await recoverWal(CONFIG, disk)).toMatchObject({ recordCount: 11, quarantined: [] });

    const file = await open(path, "r+");
    await file.write(Buffer.from("damage"), 0, 6, 100);
    await file.close();
    const { size } = await stat(path);
    const report = await recoverWal(CONFIG, disk);
    expect(report.warnings.map(({ kind }) => kind)).toContain("ValidRecordsBeyondDamage");
    const [kept] = report.quarantined;
    expect((await stat(join(root, kept ?? ""))).size).toBe(size - (await stat(path)).size);
  });

  it("R4: memory stays flat over a log of 200 MB", async () => {
    const root = await directories.make();
    await mkdir(join(root, "wal"));
    const value = fill(64 * 1024);
    let lsn = 1;
    for (let id = 1; id <= 4; id++) {
      const records = Array.from({ length: 800 }, () =>
        encodeRecord({ lsn, sequence: lsn++, payload: put("key", value) }),
      );
      await writeFile(join(root, segmentPath(id)), Buffer.concat(records));
    }
    const script = fileURLToPath(new URL("flat-memory.mjs", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--expose-gc",
      "--max-old-space-size=64",
      script,
      root,
    ]);
    const found = JSON.parse(stdout);
    expect(found).toMatchObject({ recordCount: 3200, valueBytes: 3200 * 64 * 1024 });
    expect(found.keptAlive).toBeLessThan(64);
    expect(found.rssGrowth).toBeLessThan(150);
  });
});
