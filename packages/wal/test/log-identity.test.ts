import { KayaError } from "@kaya/core";
import { type FaultRule, SimDisk } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { LogHistory, recoverWal, type WalRecoveryReport, WalWriter } from "../src/index.js";
import { everyCrashState } from "./crash-states.js";
import { HALF_A_SEGMENT, logOf, TWO_A_SEGMENT } from "./followed.js";
import { HaltingDisk } from "./halting-disk.js";
import {
  bytes,
  diskOf,
  imageOf,
  mutationsOf,
  noop,
  outcome,
  present,
  segmentPath,
  settle,
} from "./support.js";

vi.setConfig({ testTimeout: 120_000 });

const LOG_ID = "wal/log-id";
const A = "aaaaaaaaaaaaaaaa";

/** Ids that can be told apart, and are the same in each run. */
function ids(first = 1): () => string {
  let next = first;
  return () => (next++).toString(16).padStart(16, "0");
}

/** Seven records in four segments, and an id. */
async function identified(disk = new SimDisk()): Promise<{ disk: SimDisk; id: string }> {
  await (await logOf(7, disk)).close();
  const writer = await WalWriter.open(TWO_A_SEGMENT, disk, { newLogId: () => A });
  const { id } = await writer.identify();
  await writer.close();
  return { disk, id };
}

const tear = (disk: SimDisk) => {
  const path = segmentPath(4);
  disk.writeFile(path, present(disk.readFile(path)).subarray(0, 90));
};

const historyOn = async (disk: SimDisk) =>
  (await WalWriter.open(TWO_A_SEGMENT, disk, { trustPageCache: true, newLogId: ids(900) })).history;

describe("the log's id", () => {
  it("is refused with KAYA_IO where what was written for it is gone before it has its name", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    vi.spyOn(disk, "rename").mockImplementation((from, to) => {
      disk.removeDurably(from); // as a failed sync of the directory may
      return disk.session().rename(from, to);
    });
    await expect(writer.identify()).rejects.toMatchObject({
      code: "KAYA_IO",
      message: expect.stringContaining(LOG_ID),
    });
    vi.restoreAllMocks();
    expect((await writer.identify()).id).toMatch(/^[0-9a-f]{16}$/);
    await writer.close();
  });

  it("is made when it is asked for, and then stays, also where the log has no segment yet", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    expect(writer.history).toBeUndefined();
    const [one, other] = await Promise.all([writer.identify(), writer.identify()]);
    expect(one.id).toMatch(/^[0-9a-f]{16}$/);
    expect(other).toBe(one);
    await writer.append(noop);
    await writer.close();
    disk.crash();
    const again = await WalWriter.open({}, disk);
    expect(again.recovery.warnings).toEqual([]);
    expect(again.history?.id).toBe(one.id);
    expect((await again.identify()).id).toBe(one.id);
  });

  it("is not made by a log that nobody asked, not even where that is cut", async () => {
    const disk = new SimDisk();
    await (await logOf(7, disk)).close();
    tear(disk);
    await recoverWal(TWO_A_SEGMENT, disk);
    expect(Object.keys(await imageOf(disk))).not.toContain(LOG_ID);
  });

  it("is durable before it is told: a crash at any operation leaves it, or one that nobody was told", async () => {
    for (let haltAt = 0; ; haltAt++) {
      let told: string | undefined;
      let over = false;
      const make = async () => {
        told = undefined;
        const disk = new SimDisk();
        const halting = new HaltingDisk(disk, haltAt);
        const work = async () => {
          const writer = await WalWriter.open({}, halting, { newLogId: () => A });
          told = (await writer.identify()).id;
          over = true;
        };
        await Promise.race([work(), halting.halted]);
        await settle();
        return disk;
      };
      await everyCrashState(100, make, async (disk, state) => {
        const writer = await WalWriter.open({}, disk, { newLogId: ids() });
        expect(writer.recovery.warnings, state).toEqual([]);
        if (told !== undefined) expect(writer.history?.id, state).toBe(told);
        expect([A, "0000000000000001"]).toContain((await writer.identify()).id);
      });
      if (over) return;
    }
  });

  it("that a killed process left in the page cache is durable before it is told again", async () => {
    const disk = new SimDisk();
    const halting = new HaltingDisk(disk, 5); // before its name is synced
    const writer = await WalWriter.open({}, halting, { newLogId: () => A });
    void writer.identify();
    await halting.halted;
    disk.killProcess();
    expect((await (await WalWriter.open({}, disk)).identify()).id).toBe(A);
    disk.crash();
    expect((await historyOn(disk))?.id).toBe(A);
  });

  it("that a full disk has no room for is asked for again", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    await writer.append(noop);
    disk.addFault({ at: disk.nextOperation + 1, kind: "disk-full" }); // behind the removal of a leftover
    await expect(writer.identify()).rejects.toMatchObject({ code: "KAYA_DISK_FULL" });
    await writer.append(noop);
    expect((await writer.identify()).id).toMatch(/^[0-9a-f]{16}$/);
  });

  it("whose fsync fails is the end of the writer: names of segments may be lost with it (W4)", async () => {
    const disk = new SimDisk();
    const writer = await WalWriter.open({}, disk);
    await writer.append(noop);
    disk.addFault({ at: disk.nextOperation + 5, kind: "fsync-failed" });
    await expect(writer.identify()).rejects.toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    expect(writer.failure).toMatchObject({ code: "KAYA_FSYNC_FAILED" });
    await expect(writer.identify()).rejects.toMatchObject({ code: "KAYA_WRITER_FAILED" });
  });

  it("is written before close lets go", async () => {
    const disk = new SimDisk({ unhurried: true });
    const writer = await WalWriter.open({}, disk);
    const made = writer.identify();
    await writer.close();
    const operations = disk.nextOperation;
    const { id } = await made;
    expect(disk.nextOperation).toBe(operations);
    expect((await historyOn(disk))?.id).toBe(id);
    await expect(writer.identify()).rejects.toMatchObject({ code: "KAYA_CLOSED" });
  });

  it("is no stranger, and what a crash left of it is taken away", async () => {
    const { disk } = await identified();
    disk.writeFile(`${LOG_ID}.tmp`, bytes("half"));
    expect((await recoverWal(TWO_A_SEGMENT, disk, { dryRun: true })).warnings).toEqual([]);
    expect((await recoverWal(TWO_A_SEGMENT, disk)).warnings).toEqual([]);
    expect(Object.keys(await imageOf(disk))).not.toContain(`${LOG_ID}.tmp`);
  });
});

describe("a cut", () => {
  for (const [name, cut, common] of [
    ["of a torn tail", tear, 6],
    ["at damage", (disk: SimDisk) => disk.flipBit(segmentPath(4), 50, 0), 6],
  ] as const) {
    it(`${name} gives the log another id, and what it has in common with the one before is known`, async () => {
      const { disk } = await identified();
      cut(disk);
      await recoverWal(TWO_A_SEGMENT, disk, { newLogId: ids() });
      const history = present(await historyOn(disk));
      expect(history.id).toBe("0000000000000001");
      expect(history.commonWith(A)).toBe(common);
      expect(history.commonWith("0".repeat(16))).toBeUndefined();
    });
  }

  it("of space that was made ahead of the log leaves its id", async () => {
    const { disk } = await identified();
    disk.writeFile(segmentPath(4), new Uint8Array(100));
    await recoverWal(TWO_A_SEGMENT, disk, { newLogId: ids() });
    expect(present(await historyOn(disk)).id).toBe(A);
    expect(disk.readFile(segmentPath(4))).toEqual(new Uint8Array(0));
  });

  it("that moves whole segments away does so too, and a later one below takes it further back", async () => {
    const { disk } = await identified();
    disk.flipBit(segmentPath(3), 150, 0);
    await recoverWal({ ...TWO_A_SEGMENT, recovery: "prefix" }, disk, { newLogId: ids() });
    expect((await historyOn(disk))?.commonWith(A)).toBe(5);
    disk.flipBit(segmentPath(2), 50, 0);
    await recoverWal({ ...TWO_A_SEGMENT, recovery: "prefix" }, disk, { newLogId: ids(2) });
    const history = present(await historyOn(disk));
    expect([history.id, history.commonWith(A), history.commonWith("0000000000000001")]).toEqual([
      "0000000000000002",
      2,
      2,
    ]);
  });

  it("below a checkpoint leaves all in common up to that: LSNs go on behind it", async () => {
    const { disk } = await identified();
    tear(disk);
    const after = { lsn: 7, sequence: 7 };
    const writer = await WalWriter.open(TWO_A_SEGMENT, disk, { after });
    expect(writer.nextLsn).toBe(8);
    expect(writer.history?.commonWith(A)).toBe(7);
  });

  it("is not what a whole log gets, nor one that lost what was not durable", async () => {
    const { disk } = await identified();
    const writer = await WalWriter.open(TWO_A_SEGMENT, disk, { trustPageCache: true });
    await writer.append(HALF_A_SEGMENT, "relaxed");
    disk.crash();
    expect((await historyOn(disk))?.id).toBe(A);
  });

  it("is only reported by a dry run", async () => {
    const { disk } = await identified();
    tear(disk);
    const before = await imageOf(disk);
    await recoverWal(TWO_A_SEGMENT, disk, { dryRun: true });
    expect(await imageOf(disk)).toEqual(before);
  });

  /** A recovery that cuts at LSN 6, on its way to `haltAt`. */
  async function recovering(
    image: Record<string, string>,
    haltAt: number,
    faults: readonly FaultRule[] = [],
  ) {
    const disk = diskOf(image);
    for (const fault of faults) disk.addFault(fault);
    const halting = new HaltingDisk(disk, haltAt);
    let report: WalRecoveryReport | undefined;
    let error: unknown;
    const work = recoverWal(TWO_A_SEGMENT, halting, { newLogId: ids() }).then(
      (value) => {
        report = value;
      },
      (reason: unknown) => {
        error = reason;
      },
    );
    await Promise.race([work, halting.halted]);
    await settle();
    return { disk, report, error };
  }

  /** Whether the log on the disk is still what it was, and its id. */
  async function stateOf(disk: SimDisk) {
    const isCut = present((await imageOf(disk))[segmentPath(4)]).length / 2 < 100;
    const image = await imageOf(disk);
    const history = (await WalWriter.open(TWO_A_SEGMENT, diskOf(image), { newLogId: ids(50) })).history;
    return { isCut, history };
  }

  it("has another id before it is one: no crash at any operation leaves a log that was cut under its old id", async () => {
    const { disk: original } = await identified();
    original.flipBit(segmentPath(4), 50, 0);
    const image = await imageOf(original);
    let cuts = 0;
    for (let haltAt = 0; ; haltAt++) {
      let isOver = false;
      const make = async () => {
        const { disk, report } = await recovering(image, haltAt);
        isOver = report !== undefined;
        return disk;
      };
      await everyCrashState(200, make, async (disk, state) => {
        const { isCut, history } = await stateOf(disk);
        expect(history?.id, `before operation ${haltAt}, ${state}`).not.toBe(A);
        expect(history?.commonWith(A), `before operation ${haltAt}, ${state}`).toBe(6);
        if (isCut) cuts++;
        const raw = Buffer.from(present((await imageOf(disk))[LOG_ID]), "hex").toString();
        if (isCut) expect(raw, state).not.toContain(`log-id 1\n${A}`);
      });
      if (isOver) break;
    }
    expect(cuts).toBeGreaterThan(3);
  });

  it("on a full disk takes the id away, and says so; what fails otherwise leaves the log whole", async () => {
    const { disk: original } = await identified();
    tear(original); // what is cut need not be kept
    const image = await imageOf(original);
    const { disk: whole } = await recovering(image, Number.POSITIVE_INFINITY);
    let removed = 0;
    for (let at = 0; at < whole.nextOperation; at++) {
      for (const kind of ["disk-full", "fsync-failed", "io-error"] as const) {
        const { disk, report, error } = await recovering(image, Number.POSITIVE_INFINITY, [{ at, kind }]);
        const after = await imageOf(disk);
        const text = after[LOG_ID] === undefined ? "" : Buffer.from(after[LOG_ID], "hex").toString();
        if (present(after[segmentPath(4)]).length < present(image[segmentPath(4)]).length)
          expect(text, `${kind} at ${at}`).not.toContain(`log-id 1\n${A}`);
        if (text === "") {
          removed++;
          expect(report?.warnings).toContainEqual({ kind: "LogIdRemoved", path: LOG_ID });
        }
        if (report === undefined) expect(KayaError.is(error)).toBe(true);
      }
    }
    expect(removed).toBeGreaterThan(0);
  });
});

describe("a damaged id", () => {
  it("is never believed, whichever bit it is: it is told, and the log gets a new one", async () => {
    const { disk } = await identified();
    const image = await imageOf(disk);
    const bits = (present(image[LOG_ID]).length / 2) * 8;
    for (let bit = 0; bit < bits; bit++) {
      const damaged = diskOf(image);
      damaged.flipBit(LOG_ID, bit >> 3, bit & 7);
      const writer = await WalWriter.open(TWO_A_SEGMENT, damaged, { trustPageCache: true, newLogId: ids() });
      expect(writer.recovery.warnings).toEqual([{ kind: "DamagedLogId", path: LOG_ID }]);
      expect(writer.history).toBeUndefined();
      expect((await writer.identify()).id).toBe("0000000000000001");
      await writer.close();
      const again = await WalWriter.open(TWO_A_SEGMENT, damaged, { trustPageCache: true });
      expect([again.recovery.warnings, again.history?.id]).toEqual([[], "0000000000000001"]);
    }
  });

  it("of any other length is one too", async () => {
    const { disk } = await identified();
    const whole = present(disk.readFile(LOG_ID));
    for (let length = 0; length < whole.length; length++) {
      disk.writeFile(LOG_ID, whole.subarray(0, length));
      expect((await recoverWal({}, disk, { dryRun: true })).warnings).toEqual([
        { kind: "DamagedLogId", path: LOG_ID },
      ]);
    }
    disk.writeFile(LOG_ID, new Uint8Array(2 ** 20 + 1));
    expect((await recoverWal({}, disk, { dryRun: true })).warnings).toHaveLength(1);
  });

  it("is taken away before the log is cut", async () => {
    const { disk } = await identified();
    disk.flipBit(LOG_ID, 20, 1);
    tear(disk);
    await recoverWal(TWO_A_SEGMENT, disk);
    expect(await imageOf(disk)).not.toHaveProperty(LOG_ID);
  });

  it("that cannot be read is a failed read", async () => {
    const { disk } = await identified();
    disk.breakRange(LOG_ID, 0, 5);
    expect(await outcome(recoverWal({}, disk))).toMatchObject({ error: { code: "KAYA_IO" } });
    expect(mutationsOf(disk).at(-1)).toBe("syncDir "); // identify's own
  });
});

describe("a history", () => {
  const lsn = fc.nat(50);

  it("reads back as it was written, and knows no more than the lowest cut since", () => {
    fc.assert(
      fc.property(fc.array(lsn, { maxLength: 80 }), (cuts) => {
        const nextId = ids();
        let history = new LogHistory(nextId());
        const seen = [history.id];
        for (const cut of cuts) {
          history = history.cutBehind(cut, nextId());
          seen.push(history.id);
        }
        const read = present(LogHistory.parse(history.toText()));
        for (const [age, id] of seen.toReversed().entries()) {
          const common =
            age === 0 ? Number.MAX_SAFE_INTEGER : age > 64 ? undefined : Math.min(...cuts.slice(-age));
          expect([history.commonWith(id), read.commonWith(id)]).toEqual([common, common]);
        }
      }),
    );
  });

  it.each([
    "",
    "kaya log-id 2\naaaaaaaaaaaaaaaa\n",
    "kaya log-id 1\naaaa\n",
    `kaya log-id 1\n${A}`,
    `kaya log-id 1\n${A}\nfrom ${A} 01\n`,
    `kaya log-id 1\n${A}\nfrom ${A} 9999999999999999\n`,
    `kaya log-id 1\n${A}\n\n`,
  ])("is not read from what is none: %j", (text) => {
    expect(LogHistory.parse(text)).toBeUndefined();
  });
});
