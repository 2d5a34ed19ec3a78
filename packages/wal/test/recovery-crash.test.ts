import { KayaError, type RecoveryMode } from "@kaya/core";
import { type Disk, type DiskFile, type FaultRule, type OpenOptions, SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { recoverWal, type WalPayload, WalWriter } from "../src/index.js";
import { everyCrashState } from "./crash-states.js";
import { HaltingDisk } from "./halting-disk.js";
import {
  batch,
  concat,
  del,
  diskOf,
  fill,
  imageOf,
  noop,
  outcome,
  PassingDisk,
  plain,
  present,
  put,
  QUARANTINE_DIR,
  SMALL,
  segmentPath,
  settle,
  writeLog,
} from "./support.js";
import { checkRecovered, Run } from "./workload.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 120_000 });

const SEGMENTS: readonly (readonly WalPayload[])[] = [
  [put("a"), del("a"), put("b", fill(600))],
  [batch(put("c"), del("c")), put("d", fill(700)), put("dd")],
  [noop, put("e", fill(500)), put("f")],
  [put("g"), put("h", fill(600)), noop, put("i")],
];

interface Damaged {
  readonly name: string;
  readonly mode: RecoveryMode;
  /** Nothing that recovery takes out has to be kept. */
  readonly worthless?: true;
  readonly damage: (disk: SimDisk) => void;
}

const DAMAGED: readonly Damaged[] = [
  { name: "a damaged tail", mode: "tail", damage: (disk) => disk.flipBit(segmentPath(4), 100, 3) },
  {
    name: "a damaged tail, with copies that a crash left half-made",
    mode: "tail",
    damage: (disk) => {
      disk.writeFile(`${segmentPath(4)}.tmp`, fill(10));
      disk.writeFile(`${QUARANTINE_DIR}/x.tmp`, fill(10));
      disk.flipBit(segmentPath(4), 100, 3);
    },
  },
  {
    name: "a damaged closed segment",
    mode: "prefix",
    damage: (disk) => disk.flipBit(segmentPath(2), 100, 3),
  },
  {
    name: "a closed segment damaged at its start",
    mode: "prefix",
    damage: (disk) => disk.flipBit(segmentPath(2), 0, 3),
  },
  { name: "a missing segment", mode: "prefix", damage: (disk) => disk.removeDurably(segmentPath(2)) },
  { name: "a missing first segment", mode: "prefix", damage: (disk) => disk.removeDurably(segmentPath(1)) },
  {
    name: "a duplicated segment",
    mode: "prefix",
    damage: (disk) => {
      for (const id of [4, 3]) disk.writeFile(segmentPath(id + 1), present(disk.readFile(segmentPath(id))));
    },
  },
  {
    name: "a torn tail",
    mode: "tail",
    worthless: true,
    damage: (disk) => disk.writeFile(segmentPath(4), present(disk.readFile(segmentPath(4))).subarray(0, 300)),
  },
  {
    name: "a zero-filled tail",
    mode: "tail",
    worthless: true,
    damage: (disk) =>
      disk.writeFile(segmentPath(4), concat([present(disk.readFile(segmentPath(4))), fill(1000, 0)])),
  },
];

type Image = Record<string, string>;

async function damagedImage({ damage }: Damaged): Promise<Image> {
  const disk = new SimDisk();
  writeLog(disk, SEGMENTS);
  damage(disk);
  return imageOf(disk);
}

/** Each segment of `before` is still there, or what was taken out of it is in quarantine. @throws an Error naming it */
function checkNothingThrownAway(before: Image, now: Image): void {
  const quarantined = Object.entries(now).flatMap(([path, hex]) =>
    path.startsWith(QUARANTINE_DIR) ? [hex] : [],
  );
  for (const [path, hex] of Object.entries(before)) {
    const left = now[path] ?? "";
    if (path.endsWith(".tmp") || left.startsWith(hex)) continue;
    const isWhole = (kept: string) =>
      hex.endsWith(kept) && left.startsWith(hex.slice(0, hex.length - kept.length));
    if (!quarantined.some((kept) => kept === hex || isWhole(kept)))
      throw new Error(`bytes of ${path} are nowhere`);
  }
}

for (const damaged of DAMAGED) {
  const { name, mode, worthless } = damaged;
  const config = { ...SMALL, recovery: mode };

  describe(`recovery of ${name}`, () => {
    for (const trustPageCache of [false, true]) {
      it(`R1: crashed before every operation, in every state (trustPageCache: ${trustPageCache})`, async () => {
        const image = await damagedImage(damaged);
        const clean = diskOf(image);
        const expected = plain((await recoverWal(config, clean, { trustPageCache })).records);
        for (let haltAt = 0; haltAt <= clean.nextOperation; haltAt++) {
          const make = async () => {
            const disk = diskOf(image);
            const halting = new HaltingDisk(disk, haltAt);
            await Promise.race([recoverWal(config, halting, { trustPageCache }), halting.halted]);
            await settle();
            return disk;
          };
          await everyCrashState(64, make, async (disk, state) => {
            const where = `before operation ${haltAt}, ${state}`;
            const report = await recoverWal(config, disk, { trustPageCache: true });
            expect(plain(report.records), where).toEqual(expected);
            disk.crash();
            if (worthless === undefined) checkNothingThrownAway(image, await imageOf(disk));
          });
        }
      });
    }

    it("a fault at any operation: it is told or survived, the next recovery works, and nothing is lost", async () => {
      const image = await damagedImage(damaged);
      const clean = diskOf(image);
      const expected = plain((await recoverWal(config, clean)).records);
      for (let at = 0; at < clean.nextOperation; at++) {
        for (const fault of faultsAt(at)) {
          const disk = diskOf(image);
          disk.addFault(fault);
          const first = await outcome(recoverWal(config, disk));
          if ("error" in first) expect(KayaError.is(first.error), JSON.stringify(fault)).toBe(true);
          else expect(plain(first.value.records), JSON.stringify(fault)).toEqual(expected);
          if (worthless === undefined) checkNothingThrownAway(image, await imageOf(disk));
          await checkGoesOn(disk, expected, JSON.stringify(fault));
          if (worthless === undefined) checkNothingThrownAway(image, await imageOf(disk));
        }
      }
    });
  });

  async function checkGoesOn(disk: SimDisk, expected: readonly string[], where: string): Promise<void> {
    const found = await recoverWal(config, disk);
    expect(plain(found.records), where).toEqual(expected);
    const run = new Run();
    await run.open(disk, config);
    expect((await run.append(put("x"))).state, where).toBe("acknowledged");
    disk.crash();
    const before = found.records.map(({ record }) => record);
    const last = await recoverWal(config, disk);
    checkRecovered(last.records, run.possible(before), before.length + 1, where);
  }
}

function faultsAt(at: number): FaultRule[] {
  return [
    { at, kind: "fsync-failed", outcome: "readable-until-crash" },
    { at, kind: "fsync-failed", outcome: "lost" },
    { at, kind: "fsync-failed", outcome: "kept" },
    { at, kind: "io-error" },
    { at, kind: "disk-full" },
    { at, kind: "partial-write", bytes: 100 },
  ];
}

describe("recovery on a full disk", () => {
  it("refuses where what it takes out cannot be kept, and changes nothing", async () => {
    for (const { mode, damage } of DAMAGED.filter(({ worthless }) => worthless === undefined)) {
      const disk = new SimDisk();
      writeLog(disk, SEGMENTS);
      damage(disk);
      const isSegment = ([path]: [string, string]) => path.endsWith(".wal");
      const before = Object.entries(await imageOf(disk)).filter(isSegment);
      for (let at = 0; at < 40; at++) disk.addFault({ at, kind: "disk-full" });
      await expect(recoverWal({ ...SMALL, recovery: mode }, disk)).rejects.toMatchObject({
        code: "KAYA_DISK_FULL",
      });
      expect(Object.entries(await imageOf(disk)).filter(isSegment)).toEqual(before);
    }
  });

  it("R5: recovery by itself needs no room where the log is whole, and changes nothing", async () => {
    const disk = new FullDisk();
    writeLog(disk.sim, SEGMENTS);
    const before = await imageOf(disk.sim);
    expect((await recoverWal(SMALL, disk)).recordCount).toBe(13);
    expect((await recoverWal(SMALL, disk, { dryRun: true })).recordCount).toBe(13);
    expect(await imageOf(disk.sim)).toEqual(before);
  });

  it("a writer that took nothing closes without a complaint, and leaves the log unclean", async () => {
    const disk = new FullDisk();
    writeLog(disk.sim, SEGMENTS);
    const writer = await WalWriter.open(SMALL, disk);
    await writer.close();
    expect(writer.tailMark).toBeUndefined();
  });

  it("what a checkpoint covers is durable, whatever became of the tail", async () => {
    for (const lsn of [0, 5, 12, 13]) {
      const disk = new FullDisk();
      const records = writeLog(disk.sim, SEGMENTS);
      const sequence = records[lsn - 1]?.sequence ?? 0;
      const writer = await WalWriter.open(SMALL, disk, { after: { lsn, sequence } });
      const closed = SEGMENTS.slice(0, -1).flat().length;
      expect([writer.nextLsn, writer.durableLsn]).toEqual([14, Math.max(lsn, closed)]);
      expect(writer.isClean).toBe(false);
      await writer.close();
    }
  });

  it("R5: a writer opens and is read from; it takes nothing, and is not clean, until there is room", async () => {
    const disk = new FullDisk();
    const records = writeLog(disk.sim, SEGMENTS);
    const before = await imageOf(disk.sim);
    const run = new Run();
    const writer = await run.open(disk);
    expect(plain(writer.recovery.records)).toEqual(plain(records));
    for (let i = 0; i < 3; i++) {
      const full = { code: "KAYA_DISK_FULL" };
      expect((await run.append(put(`${i}`), i === 1 ? "relaxed" : "strict")).error).toMatchObject(full);
      await expect(writer.sync()).rejects.toMatchObject(full);
      expect([writer.nextLsn, writer.isClean, writer.failure]).toEqual([14, false, undefined]);
      expect(writer.durableLsn).toBeLessThan(13);
    }
    expect(await imageOf(disk.sim)).toEqual(before);
    disk.isFull = false;
    expect((await run.append(put("x"))).result).toMatchObject({ lsn: 14, durable: true });
    expect([writer.durableLsn, writer.isClean]).toEqual([14, true]);
    disk.sim.crash();
    checkRecovered(
      (await recoverWal(SMALL, disk)).records,
      run.possible(records),
      14,
      "after there was room",
    );
  });

  it("R5: a writer that is closed before there was room changed nothing and is not clean", async () => {
    const disk = new FullDisk();
    writeLog(disk.sim, SEGMENTS);
    disk.sim.writeFile(segmentPath(4), present(disk.sim.readFile(segmentPath(4))).subarray(0, 300));
    const before = await imageOf(disk.sim);
    const writer = await new Run().open(disk);
    await outcome(writer.close());
    expect(writer.isClean).toBe(false);
    expect(await imageOf(disk.sim)).toEqual(before);
  });

  it("R5: what a failed fsync left unwritten is durable before the first append after the disk was full", async () => {
    const first = async () => {
      const disk = new FullDisk();
      disk.isFull = false;
      const before = new Run();
      await before.open(disk);
      await before.append(put("a"));
      disk.sim.addFault({
        at: disk.sim.nextOperation + 1,
        kind: "fsync-failed",
        outcome: "readable-until-crash",
      });
      await before.append(put("phantom"));
      disk.sim.killProcess();
      disk.isFull = true;
      return { disk, before };
    };
    // The second writer's operations, crashed before each of them.
    for (let after = 0; after < 14; after++) {
      const run = new Run();
      let possible = run.possible();
      let required = 0;
      const make = async () => {
        const { disk, before } = await first();
        const halting = new HaltingDisk(disk.sim, disk.sim.nextOperation + after);
        const full = new FullDisk(disk.sim, halting);
        const second = new Run();
        const work = async () => {
          await second.open(full);
          await second.append(put("no room"));
          full.isFull = false;
          await second.append(put("x"));
          await second.append(put("y"));
        };
        await Promise.race([work(), halting.halted]);
        await settle();
        const found = before.possible();
        possible = second.possible(found);
        const acknowledged = second.required("strict", found.length);
        required = acknowledged > found.length ? acknowledged : 1;
        return disk.sim;
      };
      await everyCrashState(40, make, async (disk, state) => {
        const { records } = await recoverWal(SMALL, disk);
        // A crash before the tail was finished may take the phantom, and never anything that was acknowledged.
        checkRecovered(records, possible, required, `after ${after} operations, ${state}`);
      });
    }
  });
});

/** While it is full, no file can be created. */
class FullDisk extends PassingDisk {
  readonly sim: SimDisk;
  isFull = true;

  constructor(sim = new SimDisk(), inner: Disk = sim) {
    super(inner);
    this.sim = sim;
  }

  override async open(path: string, options?: OpenOptions): Promise<DiskFile> {
    if (this.isFull && options?.create === true)
      throw new KayaError("KAYA_DISK_FULL", `open ${path}: no space left`);
    return this.inner.open(path, options);
  }
}
