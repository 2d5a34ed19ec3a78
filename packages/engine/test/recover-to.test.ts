import { existsSync } from "node:fs";
import { appendFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FaultRule, SimDisk } from "@kaya/io";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type BackupProgress, Engine, type RecoveryProgress, recover, recoverTo } from "../src/index.js";
import { InterceptedDisk, stopBefore } from "./support/intercepted-disk.js";
import { mountTmpfs } from "./support/mounted-tmpfs.js";
import {
  filesOf,
  isWithinReach,
  RecordedHistory,
  type RecordedState,
  TINY,
} from "./support/recorded-history.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { entriesOf, rejection } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const directories = temporaryDirectories();
afterAll(() => directories.remove());

const SEEDS = Array.from({ length: 8 }, (_, seed) => seed);

async function recordedHistory(
  seed: number,
  writes = 40,
): Promise<{ disk: SimDisk; history: RecordedHistory }> {
  const disk = new SimDisk();
  const history = await RecordedHistory.begin(disk, seed);
  await history.run(writes);
  return { disk, history };
}

/** What stands there is a data directory by itself, with this state, and goes on behind it. */
async function expectState(target: SimDisk, lsn: number, state: RecordedState): Promise<void> {
  target.crash(); // it was durable
  expect(await recover(TINY, target, { dryRun: true })).toMatchObject({
    recordCount: 0,
    tables: { covered: { lsn, sequence: state.sequence } },
  });
  const engine = await Engine.open(TINY, target);
  expect(await entriesOf(engine.scan())).toEqual(state.entries);
  expect(engine.stats()).toMatchObject({ lastLsn: lsn, lastSequence: state.sequence });
  expect(await engine.put("next", "1")).toMatchObject({ lsn: lsn + 1, sequence: state.sequence + 1 });
  await engine.close();
}

/** Every LSN of a history is either there as it was, or refused as it should be; and the directory stays as it is. */
async function expectAllOf(disk: SimDisk, states: readonly RecordedState[]): Promise<void> {
  const files = await filesOf(disk);
  const before = [disk.nextOperation, disk.stateDigest("everything")];
  const lastLsn = states.length - 1;
  for (const [lsn, state] of states.entries()) {
    if (lsn === 0) continue;
    const target = new SimDisk();
    const recovered = recoverTo(TINY, { lsn, into: target }, disk);
    if (isWithinReach(lsn, files)) {
      const { sequence } = await recovered;
      expect(sequence, `LSN ${lsn}`).toBe(state.sequence);
      await expectState(target, lsn, state);
    } else {
      const { message } = await rejection("KAYA_LOG_TRUNCATED", recovered);
      expect(message).toContain(`LSN ${files.covered} is the lowest that can be.`);
      expect(await target.list("")).toEqual([]);
    }
  }
  for (const lsn of [lastLsn + 1, lastLsn + 100]) {
    const { message } = await rejection(
      "KAYA_INVALID_ARGUMENT",
      recoverTo(TINY, { lsn, into: new SimDisk() }, disk),
    );
    expect(message).toContain(`the last one is ${lastLsn}`);
  }
  expect([disk.nextOperation, disk.stateDigest("everything")]).toEqual(before);
}

describe("a directory as of any LSN", () => {
  it.each(SEEDS)(
    "is what the store showed then, as far as the log reaches back (history %i)",
    async (seed) => {
      const { disk, history } = await recordedHistory(seed);
      await expectAllOf(disk, history.states); // beside the engine
      await history.engine.close();
      await expectAllOf(disk, history.states);
    },
  );

  it("reaches back as far as the log does, wherever a crash ended a flush", async () => {
    let reachable = 0;
    for (let at = 0; at < 24; at++) {
      const { disk, history } = await recordedHistory(1, 20);
      await history.engine.close();
      const process = stopBefore(disk.nextOperation + at, disk);
      const opening = Engine.open(TINY, process.disk);
      const flush = opening.then((engine) => engine.flush());
      await Promise.race([flush, process.stopped]);
      disk.crash({ survive: "everything" });
      await expectAllOf(disk, history.states);
      const files = await filesOf(disk);
      reachable += history.states.filter((_, lsn) => lsn > 0 && isWithinReach(lsn, files)).length;
    }
    expect(reachable).toBeGreaterThan(12); // not only the last one each
  });

  it("reaches back to the first record where the log is kept for a consumer, whatever the tables cover", async () => {
    const disk = new SimDisk();
    const history = await RecordedHistory.begin(disk, 6);
    await history.engine.addConsumer("replica");
    await history.run(20);
    await history.engine.flush();
    await history.engine.close();
    const files = await filesOf(disk);
    expect([files.covered, isWithinReach(3, files)]).toEqual([history.lastLsn, true]);
    await expectAllOf(disk, history.states);
  });

  it("takes what a flush and a compaction remove meanwhile for no damage", async () => {
    const { disk, history } = await recordedHistory(3, 15);
    let flushes = 0;
    const meanwhile = new InterceptedDisk(disk, ({ kind, path }) => {
      if (kind !== "open" || !path.endsWith(".wal") || flushes > 0) return undefined;
      flushes++;
      return history.engine.compact();
    });
    const lsn = history.lastLsn;
    const target = new SimDisk();
    const result = await recoverTo(TINY, { lsn, into: target }, meanwhile);
    expect(result).toMatchObject({ lsn, recordCount: 0, base: { lsn } });
    expect(flushes).toBe(1);
    await expectState(target, lsn, history.states[lsn] as RecordedState);
    await history.engine.close();
  });

  it("needs no more memory than a memtable, however long the log is", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({ tables: { autoFlush: false } }, disk);
    for (let i = 0; i < 40; i++) await engine.put(`key ${i % 30}`, new Uint8Array(100_000).fill(i));
    await engine.clear({ gte: "key 5", lt: "key 6" });
    const before = await entriesOf(engine.scan());
    const lsn = engine.stats().lastLsn;
    await engine.put("later", "1");
    await engine.close();
    const target = new SimDisk();
    const memory = { memtableBytes: 1 << 20 };
    const { tables } = await recoverTo({ memory }, { lsn, into: target }, disk);
    expect(tables).toBeGreaterThan(4);
    const copy = await Engine.open({}, target);
    expect(await entriesOf(copy.scan())).toEqual(before);
    await copy.close();
  });
});

describe("damage", () => {
  it.each(SEEDS.slice(0, 4))(
    "behind the LSN does not matter, before it is refused with file and offset (history %i)",
    async (seed) => {
      const { disk, history } = await recordedHistory(seed, 25);
      await history.engine.close();
      const { covered, records } = await filesOf(disk);
      for (const [damaged, { path, offset }] of records) {
        const rotten = disk.fork();
        rotten.flipBit(path, offset + 41, 3);
        for (const lsn of records.keys()) {
          if (!isWithinReach(lsn, { covered, records })) continue;
          const target = new SimDisk();
          const recovered = recoverTo(TINY, { lsn, into: target }, rotten);
          const isCovered = damaged <= covered && covered <= lsn;
          if (lsn < damaged || isCovered) {
            await recovered;
            await expectState(target, lsn, history.states[lsn] as RecordedState);
          } else {
            const { message } = await rejection("KAYA_CORRUPTION", recovered);
            expect(message).toContain(`${path}: offset ${offset}: `);
            expect(await target.list("")).toEqual([]);
          }
        }
      }
    },
  );

  it("that makes an opening refuse leaves everything before it to be had", async () => {
    const disk = new SimDisk();
    const history = await RecordedHistory.begin(disk, 0);
    for (let i = 0; i < 30; i++) await history.run(1);
    await history.engine.flush();
    const covered = history.lastLsn;
    while ((await disk.list("wal")).length < 3) await history.engine.put("filler", "x".repeat(300));
    await history.engine.close();
    const closed = (await disk.list("wal"))[0]?.path as string;
    disk.flipBit(closed, 41, 3);
    await rejection("KAYA_CORRUPTION", Engine.open(TINY, disk));
    const target = new SimDisk();
    await recoverTo(TINY, { lsn: covered, into: target }, disk);
    await expectState(target, covered, history.states[covered] as RecordedState);
  });

  it("of a table that it begins with is refused with file and offset, and leaves nothing", async () => {
    const { disk, history } = await recordedHistory(1, 10);
    await history.engine.flush();
    await history.run(3);
    await history.engine.close();
    const path = (await disk.list("sst")).find((each) => each.path.endsWith(".sst"))?.path as string;
    disk.flipBit(path, 12, 1);
    const target = new SimDisk();
    const { message } = await rejection(
      "KAYA_CORRUPTION",
      recoverTo(TINY, { lsn: history.lastLsn, into: target }, disk),
    );
    expect(message).toContain(`${path} is damaged at offset 0`);
    expect([await target.list("sst"), await target.list("manifest")]).toEqual([[], []]);
  });

  it("by which segments are missing is told, where no table covers them", async () => {
    const { disk, history } = await recordedHistory(2, 5);
    while ((await disk.list("wal")).length < 4) await history.engine.put("filler", "x".repeat(300));
    const lsn = history.engine.stats().lastLsn;
    await history.engine.close();
    const [, second, third] = (await disk.list("wal")).map(({ path }) => path);
    disk.removeDurably(second as string);
    const { message } = await rejection(
      "KAYA_CORRUPTION",
      recoverTo(TINY, { lsn, into: new SimDisk() }, disk),
    );
    expect(message).toContain(`${third}: offset 0: `);
  });
});

describe("the new directory", () => {
  it("is told of, with what it was made from and how far that was", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open(TINY, disk);
    await engine.put("a", "1");
    await engine.flush();
    for (const key of ["b", "c", "d"]) await engine.put(key, "1");
    await engine.close();
    const writes: BackupProgress[] = [];
    const result = await recoverTo(
      TINY,
      {
        lsn: 3,
        into: new SimDisk(),
        onWrite: (progress) => writes.push(progress),
      },
      disk,
    );
    expect(result).toEqual({
      lsn: 3,
      sequence: 3,
      tables: 2,
      bytes: expect.any(Number),
      base: { lsn: 1, sequence: 1 },
      recordCount: 2,
      durationMs: expect.any(Number),
    });
    expect(writes.at(-1)).toMatchObject({ bytes: result.bytes, totalBytes: result.bytes, copiedTables: 2 });
  });

  it("ends with the last record that is whole, where a crash, or a write under way, tore the one behind it", async () => {
    const { disk, history } = await recordedHistory(4, 10);
    await history.engine.close();
    const lsn = history.lastLsn;
    const tail = (await disk.list("wal")).findLast(({ path }) => path.endsWith(".wal"))?.path as string;
    const bytes = disk.readFile(tail) as Uint8Array;
    disk.writeFile(tail, bytes.subarray(0, bytes.length - 1));
    await rejection("KAYA_INVALID_ARGUMENT", recoverTo(TINY, { lsn, into: new SimDisk() }, disk));
    const target = new SimDisk();
    await recoverTo(TINY, { lsn: lsn - 1, into: target }, disk);
    await expectState(target, lsn - 1, history.states[lsn - 1] as RecordedState);
  });

  it("is nothing that could be opened, whichever operation of its making fails", async () => {
    const { disk, history } = await recordedHistory(5, 20);
    await history.engine.close();
    const lsn = history.lastLsn;
    const whole = new SimDisk();
    await recoverTo(TINY, { lsn, into: whole }, disk);
    const kinds: readonly FaultRule["kind"][] = ["disk-full", "fsync-failed", "io-error", "partial-write"];
    let failures = 0;
    for (let at = 0; at < whole.nextOperation; at++) {
      for (const kind of kinds) {
        const fault = kind === "partial-write" ? { at, kind, bytes: 7 } : ({ at, kind } as FaultRule);
        const target = new SimDisk({ faults: [fault] });
        const failed = await recoverTo(TINY, { lsn, into: target }, disk).then(
          () => false,
          () => true,
        );
        if (!failed) continue;
        failures++;
        for (const survive of ["everything", "nothing"] as const) {
          const left = target.fork();
          left.crash({ survive });
          expect(await left.list("manifest"), `${kind} at ${at}, ${survive}`).toEqual([]);
        }
        // And it can be tried again.
        await recoverTo(TINY, { lsn, into: target }, disk);
      }
    }
    expect(failures).toBeGreaterThan(whole.nextOperation / 2); // what fails once with KAYA_IO is tried again
  });

  it("is not there where it was broken off, while it read and while it wrote", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({ tables: { autoFlush: false } }, disk);
    for (let n = 0; n < 4; n++) await engine.put(`key ${n}`, new Uint8Array(1_000_000));
    await engine.close();
    const reads: number[] = [];
    const onRead = ({ bytes, totalBytes }: RecoveryProgress) => void reads.push(bytes / totalBytes);
    await recoverTo({}, { lsn: 4, into: new SimDisk(), onRead }, disk);
    expect(reads.length).toBeGreaterThan(2);
    expect(reads).toEqual(reads.toSorted((a, b) => a - b));
    for (const during of ["onRead", "onWrite"]) {
      const abort = new AbortController();
      const target = new SimDisk();
      const recovered = recoverTo(
        {},
        { lsn: 4, into: target, signal: abort.signal, [during]: () => abort.abort(new Error("enough")) },
        disk,
      );
      await expect(recovered).rejects.toThrow("enough");
      expect([await target.list("sst"), await target.list("manifest")]).toEqual([[], []]);
      const aborted = { lsn: 1, into: target, signal: abort.signal };
      await expect(recoverTo({}, aborted, disk)).rejects.toThrow("enough");
    }
  });

  it("is refused where it cannot be meant, before anything is read or written", async () => {
    const dataDir = await directories.make();
    const engine = await Engine.open({ dataDir });
    await engine.put("a", "1");
    await engine.close();
    const used = await directories.make();
    await writeFile(join(used, "something"), "");
    const refused = (options: object) =>
      rejection("KAYA_INVALID_ARGUMENT", recoverTo({ dataDir }, options as Parameters<typeof recoverTo>[1]));
    for (const lsn of [0, -1, 1.5, Number.NaN, "1", undefined]) await refused({ lsn, into: new SimDisk() });
    for (const into of [used, "", 7, undefined]) await refused({ lsn: 1, into });
    for (const inside of [dataDir, join(dataDir, "wal", "new"), `${dataDir}/x/../y`]) {
      expect((await refused({ lsn: 1, into: inside })).message).toContain("is in");
    }
    await refused({ lsn: 1, into: new SimDisk(), dryRun: true });
    await refused({ lsn: 1, into: new SimDisk(), onRead: 1 });
    await refused({ lsn: 1, into: new SimDisk(), signal: 1 });
    expect((await readdir(dataDir)).sort()).toEqual(["LOCK", "manifest", "wal"]);
    const empty = join(await directories.make(), "empty");
    const { message } = await rejection(
      "KAYA_INVALID_ARGUMENT",
      recoverTo({ dataDir: join(used, "nowhere") }, { lsn: 1, into: empty }),
    );
    expect(message).toContain("the log has no record");
    expect([existsSync(empty), existsSync(join(used, "nowhere"))]).toEqual([false, false]);
  });
});

describe("on the real disk", () => {
  it("undoes a bad deletion, beside the engine that did it and after damage behind it", async () => {
    const dataDir = await directories.make();
    const engine = await Engine.open({ ...TINY, dataDir });
    for (let i = 0; i < 50; i++) await engine.put(`key ${i}`, "x".repeat(50));
    const before = await entriesOf(engine.scan());
    const { lsn } = await engine.clear();
    for (let i = 0; i < 50; i++) await engine.put(`later ${i}`, "x".repeat(50));
    const into = join(await directories.make(), "a", "before");
    expect(await recoverTo({ ...TINY, dataDir }, { lsn: 50, into })).toMatchObject({ lsn: 50 });
    await engine.close();
    const copy = await Engine.open({ ...TINY, dataDir: into });
    expect(await entriesOf(copy.scan())).toEqual(before);
    await copy.close();

    const segments = (await readdir(join(dataDir, "wal"))).filter((name) => name.endsWith(".wal")).sort();
    const late = join(dataDir, "wal", segments.at(-2) as string);
    const bytes = await readFile(late);
    bytes[45] = (bytes[45] as number) ^ 1;
    await writeFile(late, bytes);
    await appendFile(join(dataDir, "wal", segments.at(-1) as string), "garbage");
    await rejection("KAYA_CORRUPTION", Engine.open({ ...TINY, dataDir }));
    const emptied = join(await directories.make(), "emptied");
    expect(await recoverTo({ ...TINY, dataDir }, { lsn, into: emptied })).toMatchObject({ lsn });
    const empty = await Engine.open({ dataDir: emptied });
    expect(await empty.count()).toBe(0);
    await empty.close();
  });

  const mounted = mountTmpfs("1m");
  afterAll(() => mounted?.unmount());
  it.skipIf(mounted === undefined)("leaves nothing where the disk is full", async () => {
    const dataDir = await directories.make();
    const engine = await Engine.open({ dataDir, tables: { autoFlush: false } });
    for (let i = 0; i < 4; i++) await engine.put(`key ${i}`, new Uint8Array(512 * 1024));
    await engine.close();
    const into = join(mounted?.path as string, "copy");
    await rejection("KAYA_DISK_FULL", recoverTo({ dataDir }, { lsn: 4, into }));
    expect(await readdir(mounted?.path as string)).toEqual([]);
    expect(await recoverTo({ dataDir }, { lsn: 1, into })).toMatchObject({ lsn: 1, tables: 1 });
  });
});
