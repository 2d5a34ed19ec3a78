import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { formatWarning, isDamage, listQuarantine, recoverWal, WalWriter } from "../src/index.js";
import { encodeAll, fill, numbered, put, QUARANTINE_DIR, segmentPath, writeLog } from "./support.js";

const DAMAGE = `${QUARANTINE_DIR}/0000000000000001.wal.0-4000.00000001`;
const OTHER = `${QUARANTINE_DIR}/notes`;
const torn = (id: number, from: number, n = "") =>
  `${QUARANTINE_DIR}/000000000000000${id}.wal.${from}-${from + 100}.0000000a.torn${n}`;

/** A log, and in its quarantine three torn ends of 100 bytes, the oldest first, one kept for damage and one of somebody else's. */
function keptLog(): { disk: SimDisk; ends: string[] } {
  const disk = new SimDisk();
  writeLog(disk, [[put("a"), put("b")]]);
  const ends = [torn(2, 900), torn(3, 5), torn(3, 10, "-2")];
  for (const path of ends) disk.writeFile(path, fill(100));
  for (const path of [DAMAGE, OTHER]) disk.writeFile(path, fill(4000));
  return { disk, ends };
}

const left = (disk: SimDisk, paths: readonly string[]) => paths.filter((path) => disk.readFile(path));

describe("the quarantine", () => {
  it("is counted by a recovery, a dry run, and a writer", async () => {
    const { disk } = keptLog();
    const quarantine = { files: 5, bytes: 8300, torn: { files: 3, bytes: 300 } };
    expect((await recoverWal({}, disk, { dryRun: true })).quarantine).toEqual(quarantine);
    expect((await recoverWal({}, disk)).quarantine).toEqual(quarantine);
    const writer = await WalWriter.open({}, disk);
    expect(writer.stats().quarantine).toEqual(quarantine);
    await writer.close();
    const none = { files: 0, bytes: 0, torn: { files: 0, bytes: 0 } };
    expect((await recoverWal({}, new SimDisk(), { dryRun: true })).quarantine).toEqual(none);
  });

  it("is listed in the order in which the bytes stood in the log, what is unfinished left out", async () => {
    const { disk, ends } = keptLog();
    disk.writeFile(`${torn(7, 1)}.tmp`, fill(10));
    const files = await listQuarantine(disk);
    expect(files.map(({ path }) => path)).toEqual([OTHER, DAMAGE, ...ends]);
    expect(files.map(({ kind }) => kind)).toEqual(["unknown", "damage", "torn", "torn", "torn"]);
  });

  it("keeps everything where no bound is set", async () => {
    const { disk, ends } = keptLog();
    const report = await recoverWal({}, disk);
    expect(report.warnings).toEqual([]);
    expect(left(disk, [...ends, DAMAGE, OTHER])).toHaveLength(5);
  });

  it.each([
    [300, 0],
    [299, 1],
    [200, 1],
    [100, 2],
    [0, 2],
  ])(
    "with a bound of %i bytes loses the %i oldest torn ends at an opening, and says so",
    async (bound, gone) => {
      const { disk, ends } = keptLog();
      const report = await recoverWal({ quarantineMaxBytes: bound }, disk);
      expect(left(disk, ends)).toEqual(ends.slice(gone));
      expect(left(disk, [DAMAGE, OTHER])).toHaveLength(2);
      expect(report.quarantine.torn.files).toBe(3 - gone);
      const cleaned = { kind: "QuarantineCleaned", files: gone, bytes: 100 * gone } as const;
      expect(report.warnings).toEqual(gone === 0 ? [] : [cleaned]);
      expect(isDamage(cleaned)).toBe(false);
      expect(formatWarning(cleaned)).toContain("quarantine");
    },
  );

  it("is not cleaned by a dry run", async () => {
    const { disk, ends } = keptLog();
    await recoverWal({ quarantineMaxBytes: 0 }, disk, { dryRun: true });
    expect(left(disk, ends)).toEqual(ends);
  });

  it("keeps what the same recovery takes out, also where it is not the newest by its place", async () => {
    const { disk, ends } = keptLog();
    const bytes = disk.readFile(segmentPath(1)) ?? new Uint8Array(0);
    disk.flipBit(segmentPath(1), bytes.length - 1, 0);
    const { quarantined } = await recoverWal({ quarantineMaxBytes: 0 }, disk);
    expect(quarantined).toEqual([expect.stringMatching(/\.torn$/)]);
    expect(left(disk, quarantined)).toEqual(quarantined);
    expect(left(disk, ends)).toEqual(ends.slice(2));
  });

  it("calls what a crash explains torn, and all else damage", async () => {
    const records = [put("a"), put("b"), put("c")];
    const kinds: (readonly [damage: (disk: SimDisk, length: number) => void, name: RegExp])[] = [
      [(disk, length) => disk.flipBit(segmentPath(1), length - 1, 0), /\.torn$/],
      [(disk) => disk.flipBit(segmentPath(1), 45, 0), /\.[0-9a-f]{8}$/],
    ];
    for (const [damage, name] of kinds) {
      const disk = new SimDisk();
      disk.writeFile(segmentPath(1), encodeAll(numbered(records)));
      damage(disk, disk.readFile(segmentPath(1))?.length ?? 0);
      expect((await recoverWal({}, disk)).quarantined).toEqual([expect.stringMatching(name)]);
    }
    const disk = new SimDisk();
    writeLog(disk, [records, records]);
    disk.removeDurably(segmentPath(1));
    const { quarantined } = await recoverWal({ recovery: "prefix" }, disk);
    expect(quarantined).toEqual([expect.stringMatching(/\.[0-9a-f]{8}$/)]);
  });

  it("is cleaned by a writer when it is asked to", async () => {
    const { disk, ends } = keptLog();
    const writer = await WalWriter.open({}, disk);
    expect(await writer.cleanQuarantine(250)).toEqual({ files: 1, bytes: 100 });
    expect(writer.stats().quarantine.torn).toEqual({ files: 2, bytes: 200 });
    expect(left(disk, ends)).toEqual(ends.slice(1));
    for (const wrong of [-1, 0.5, Number.NaN, "1" as unknown as number])
      await expect(writer.cleanQuarantine(wrong)).rejects.toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
    await writer.close();
    await expect(writer.cleanQuarantine(0)).rejects.toMatchObject({ code: "KAYA_CLOSED" });
  });
});
