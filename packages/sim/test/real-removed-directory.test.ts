import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KayaError } from "@kaya/core";
import { Engine } from "@kaya/engine";
import { NodeDisk } from "@kaya/io";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { removeUnderWriter } from "../torture/real/vanishing-directory.mjs";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kaya-sim-removed-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Its directory goes away at the moment before a rotation creates the next segment. */
class VanishingDisk extends NodeDisk {
  isDoomed = false;

  override async syncDir(dir: string): Promise<void> {
    await super.syncDir(dir);
    if (!this.isDoomed || dir !== "wal") return;
    this.isDoomed = false;
    rmSync(this.root, { recursive: true });
  }
}

describe("a directory that is removed under its writer", () => {
  it.each([1, 2, 3])("ends all acknowledgements with the segment at the latest (seed %i)", async (seed) => {
    const dataDir = join(root, `removed ${seed}`);
    const { before, codes } = await removeUnderWriter({ dataDir, seed, enough: 100 * seed });
    expect(before).toBeGreaterThan(0);
    expect(codes.length).toBeGreaterThan(0);
  });

  it("is not made anew by the rotation that was under way", async () => {
    const disk = new VanishingDisk(join(root, "anew"));
    const engine = await Engine.open({ wal: { segmentMaxBytes: 500, maxRecordBytes: 500 } }, disk);
    await engine.put("first", "x".repeat(300));
    disk.isDoomed = true;
    const second = await engine.put("second", "x".repeat(300)).catch((error: unknown) => error);
    await engine.close().catch(() => undefined);
    expect(KayaError.is(second)).toBe(true);
  });
});
