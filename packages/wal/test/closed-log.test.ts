import { KayaError, type RecoveryMode } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { type LogCover, parseLogMark, recoverWal, WalWriter } from "../src/index.js";
import { HaltingDisk } from "./halting-disk.js";

vi.setConfig({ testTimeout: 120_000 });

const CONFIG = { segmentMaxBytes: 400, maxRecordBytes: 400 };
const TAIL = "wal/0000000000000003.wal";

interface Closed {
  readonly disk: SimDisk;
  readonly mark: string;
  readonly lsn: number;
}

async function append(writer: WalWriter<unknown>, count: number): Promise<void> {
  for (let n = 0; n < count; n++)
    await writer.append({ type: "put", key: Buffer.from(`key ${n}`), value: Buffer.alloc(40, n) });
}

/** A log of three segments that was closed cleanly. */
async function closedLog(): Promise<Closed> {
  const disk = new SimDisk();
  const writer = await WalWriter.open(CONFIG, disk, { identified: true });
  await append(writer, 10);
  await writer.close();
  return { disk, mark: writer.tailMark as string, lsn: 10 };
}

async function countIn(disk: SimDisk, closedAt: string, recovery: RecoveryMode): Promise<number | string> {
  try {
    return (await recoverWal({ ...CONFIG, recovery }, disk, { closedAt })).recordCount;
  } catch (error) {
    if (!KayaError.is(error)) throw error;
    return error.code;
  }
}

describe("a log that was closed cleanly", () => {
  it("says in its mark which log it is, and where it ended", async () => {
    const { disk, mark } = await closedLog();
    const { history } = await WalWriter.open(CONFIG, disk);
    expect(parseLogMark(mark)).toEqual({ id: history?.id, lsn: 10, segmentId: 3, length: 186 });
    expect(parseLogMark("0000000000000003.wal:182")).toBeUndefined();
    expect(parseLogMark(undefined)).toBeUndefined();
  });

  it("is refused where nothing of it is left, and prefix goes on with an empty one", async () => {
    const { disk, mark } = await closedLog();
    for (const { path } of [...(await disk.list("wal"))]) disk.removeDurably(path);
    for (const mode of ["tail", "absolute"] as const)
      expect(await countIn(disk, mark, mode)).toBe("KAYA_CORRUPTION");
    expect(await countIn(disk, mark, "prefix")).toBe(0);
    // Tables that cover all of it take its place.
    const report = await recoverWal(CONFIG, disk, { closedAt: mark, after: { lsn: 10, sequence: 10 } });
    expect(report.warnings).toEqual([]);
  });

  it("is refused where its id is gone too, or damaged, and opens where nothing but the id is", async () => {
    for (const damage of ["gone", "damaged"] as const) {
      const { disk, mark } = await closedLog();
      if (damage === "gone") disk.removeDurably("wal/log-id");
      else disk.flipBit("wal/log-id", 20, 1);
      const cut = disk.fork();
      cut.truncateDurably(TAIL, 93);
      for (const mode of ["tail", "absolute"] as const)
        expect(await countIn(cut, mark, mode), `${damage}, ${mode}`).toBe("KAYA_CORRUPTION");
      expect(await countIn(cut, mark, "prefix")).toBe(9);
      expect(await countIn(disk, mark, "tail")).toBe(10);
    }
  });

  it("is refused at every length but its own, in every mode but prefix, and nothing is changed", async () => {
    const { disk, mark } = await closedLog();
    const bytes = disk.readFile(TAIL) as Uint8Array;
    for (let length = 0; length < bytes.length; length++) {
      const cut = disk.fork();
      cut.truncateDurably(TAIL, length);
      const digest = cut.stateDigest("everything");
      for (const mode of ["tail", "absolute"] as const)
        expect(await countIn(cut, mark, mode), `${mode} at ${length}`).toBe("KAYA_CORRUPTION");
      expect(cut.stateDigest("everything")).toBe(digest);
      const whole = 8 + Math.floor(length / 93);
      expect(await countIn(cut, mark, "prefix"), `prefix at ${length}`).toBe(whole);
      // The user's choice is made: what is left is the log.
      expect(await countIn(cut, mark, "tail"), `after that, at ${length}`).toBe(whole);
    }
  });

  it("is refused whichever bit of its tail is flipped; without the mark it is cut there", async () => {
    const { disk, mark } = await closedLog();
    const { length } = disk.readFile(TAIL) as Uint8Array;
    for (let offset = 0; offset < length; offset += 3) {
      const damaged = disk.fork();
      damaged.flipBit(TAIL, offset, offset % 8);
      expect(await countIn(damaged, mark, "tail"), `offset ${offset}`).toMatch(
        /^KAYA_(CORRUPTION|INVALID|UNSUPPORTED)/,
      );
      const prefix = damaged.fork();
      const { warnings, quarantined } = await recoverWal({ ...CONFIG, recovery: "prefix" }, prefix, {
        closedAt: mark,
      }).catch((error: unknown) => {
        if (KayaError.is(error, "KAYA_CORRUPTION")) throw error;
        return { warnings: [{ kind: "LostSinceClose" }], quarantined: ["refused in every mode"] };
      });
      expect(warnings[0]?.kind).toBe("LostSinceClose");
      expect(quarantined).toHaveLength(1);
    }
    const damaged = disk.fork();
    damaged.flipBit(TAIL, 60, 1);
    expect((await recoverWal(CONFIG, damaged)).recordCount).toBe(8);
  });

  it("is refused where a segment at its end is gone, or all of them; the error has the choices", async () => {
    const { disk, mark } = await closedLog();
    disk.removeDurably(TAIL);
    const error = await recoverWal(CONFIG, disk, { closedAt: mark }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "KAYA_CORRUPTION" });
    const { message } = error as KayaError;
    expect(message).toContain(
      "wal/0000000000000002.wal at offset 372: the log ends here, whole up to LSN 8.",
    );
    expect(message).toContain(`closed cleanly with LSN 10 on stable storage, ${TAIL} to offset 186`);
    for (const choice of ["backup", 'recovery: "prefix"', "recoverTo"]) expect(message).toContain(choice);
    for (const segment of ["wal/0000000000000001.wal", "wal/0000000000000002.wal"])
      disk.removeDurably(segment);
    expect(await countIn(disk, mark, "tail")).toBe("KAYA_CORRUPTION");
  });

  it("is known by its mark also after lives that ended badly, and what they left is cut as ever", async () => {
    const { disk, mark, lsn } = await closedLog();
    for (let life = 0; life < 3; life++) {
      const writer = await WalWriter.open(CONFIG, disk, { closedAt: mark, identified: true });
      await append(writer, 1);
      void append(writer, 3).catch(() => undefined);
      disk.crash({ survive: "random", seed: life });
    }
    const left = await countIn(disk, mark, "tail");
    expect(left).toBeGreaterThanOrEqual(lsn + 3);
    const { path } = (await disk.list("wal")).filter((each) => each.path.endsWith(".wal")).at(-1) ?? {
      path: "",
    };
    const torn = Buffer.concat([disk.readFile(path) as Uint8Array, Buffer.alloc(7, 1)]);
    disk.writeFile(path, torn);
    expect(await countIn(disk, mark, "tail")).toBe(left);
    disk.flipBit("wal/0000000000000003.wal", 100, 1);
    expect(await countIn(disk, mark, "tail")).toBe("KAYA_CORRUPTION");
  });

  it("may lack what a checkpoint covers, and is refused where that is damaged although nothing is lost", async () => {
    const { disk, mark, lsn } = await closedLog();
    const after = { lsn, sequence: lsn };
    for (const id of [1, 2, 3]) {
      const dropped = disk.fork();
      for (let each = 1; each <= id; each++) dropped.removeDurably(`wal/000000000000000${each}.wal`);
      expect((await recoverWal(CONFIG, dropped, { closedAt: mark, after })).recordCount).toBe(0);
    }
    disk.flipBit(TAIL, 100, 1);
    await expect(recoverWal(CONFIG, disk, { closedAt: mark, after })).rejects.toMatchObject({
      code: "KAYA_CORRUPTION",
    });
  });

  it("is not judged by the mark of another log, nor by one of a log without an id", async () => {
    const { disk } = await closedLog();
    disk.truncateDurably(TAIL, 100);
    for (const mark of ["0123456789abcdef:99:3:999", "-:99:3:999", "empty", "0123456789abcdef:99:3"]) {
      expect(await countIn(disk.fork(), mark, "tail")).toBe(9);
    }
  });

  it("that is cut by the user's choice is never refused for it: no crash at any operation of that", async () => {
    const { disk, mark } = await closedLog();
    disk.flipBit(TAIL, 100, 1);
    let at = disk.nextOperation;
    for (let isDone = false; !isDone; at++) {
      const fork = disk.fork();
      const halting = new HaltingDisk(fork, at);
      isDone = await Promise.race([
        recoverWal({ ...CONFIG, recovery: "prefix" }, halting, { closedAt: mark }).then(() => true),
        halting.halted.then(() => false),
      ]);
      for (const seed of [0, 1, 2]) {
        const crashed = fork.fork();
        crashed.crash(seed === 0 ? {} : { survive: "random", seed });
        const found = await countIn(crashed, mark, "tail");
        expect([9, "KAYA_CORRUPTION"], `before operation ${at}`).toContain(found);
        if (isDone) expect(found).toBe(9);
        expect(await countIn(crashed, mark, "prefix")).toBe(9);
      }
    }
    expect(at).toBeGreaterThan(disk.nextOperation + 5);
  });
});

describe("files that take the place of a log", () => {
  const cover = (id: string, lsn: number): LogCover => ({ path: "checkpoint/x.ckpt", id, lsn });

  it("are refused beside another log, before anything is changed, in every mode", async () => {
    const { disk } = await closedLog();
    const { history } = await WalWriter.open(CONFIG, disk);
    const id = history?.id ?? "";
    expect((await recoverWal(CONFIG, disk, { covers: [cover(id, 7)] })).recordCount).toBe(10);
    const digest = disk.stateDigest("everything");
    for (const recovery of ["tail", "prefix", "absolute"] as const) {
      for (const covers of [[cover("0123456789abcdef", 7)], [cover("0123456789abcdef", 3), cover(id, 7)]]) {
        const error = await recoverWal({ ...CONFIG, recovery }, disk, { covers }).catch(
          (reason: unknown) => reason,
        );
        expect(error).toMatchObject({
          code: "KAYA_CORRUPTION",
          message: expect.stringMatching(/^checkpoint\/x\.ckpt: this directory holds files of two stores/),
        });
      }
    }
    expect(disk.stateDigest("everything")).toBe(digest);
  });

  it("are of the log as far as that is still the one that they are of", async () => {
    const { disk } = await closedLog();
    const before = (await WalWriter.open(CONFIG, disk)).history?.id ?? "";
    disk.flipBit(TAIL, 100, 1);
    await recoverWal(CONFIG, disk); // cuts behind LSN 9
    expect((await recoverWal(CONFIG, disk, { covers: [cover(before, 9)] })).recordCount).toBe(9);
    await expect(recoverWal(CONFIG, disk, { covers: [cover(before, 10)] })).rejects.toThrow(
      "up to LSN 9 only",
    );
  });

  it("are what a log goes on from that begins behind them, and its tokens are its own", async () => {
    const disk = new SimDisk();
    const origin = cover("0123456789abcdef", 5);
    const options = { after: { lsn: 5, sequence: 5 }, covers: [origin], identified: true };
    const writer = await WalWriter.open(CONFIG, disk, options);
    await append(writer, 3);
    await writer.close();
    const again = await WalWriter.open(CONFIG, disk, options);
    expect(again.recovery.recordCount).toBe(3);
    expect(again.history?.includes(origin)).toBe(true);
    expect(again.history?.includes({ ...origin, lsn: 6 })).toBe(false);
    expect(again.history?.commonWith(origin.id)).toBeUndefined();
  });

  it("give a log without segments a new id where they are of another: it begins anew behind them", async () => {
    const { disk } = await closedLog();
    const before = (await WalWriter.open(CONFIG, disk)).history?.id;
    for (const id of [1, 2, 3]) disk.removeDurably(`wal/000000000000000${id}.wal`);
    const options = {
      after: { lsn: 5, sequence: 5 },
      covers: [cover("0123456789abcdef", 5)],
      identified: true,
    };
    const writer = await WalWriter.open(CONFIG, disk, options);
    expect(writer.history).toBeUndefined();
    await append(writer, 1);
    expect(writer.history?.id).not.toBe(before);
    await writer.close();
    expect((await WalWriter.open(CONFIG, disk, options)).recovery.recordCount).toBe(1);
  });
});
