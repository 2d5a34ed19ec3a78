import { setImmediate as nextTurn } from "node:timers/promises";
import { type CrashOptions, type Disk, type FaultRule, SimDisk } from "@kaya/io";
import { inspectWal } from "@kaya/wal";
import { describe, expect, it, vi } from "vitest";
import { listCheckpoints } from "../src/checkpoint/checkpoint-files.js";
import { loadCheckpoint } from "../src/checkpoint/load-checkpoint.js";
import { writeCheckpoint } from "../src/checkpoint/write-checkpoint.js";
import { Engine, KayaError, type PartialEngineConfig, recover } from "../src/index.js";
import { Memtable } from "../src/memtable/memtable.js";
import { holdUp, InterceptedDisk, type Operation, stopBefore } from "./support/intercepted-disk.js";
import { entriesOf, keysOf, latin1, rejection } from "./support/text.js";
import { openPatiently } from "./support/workload.js";

// They try every place of a fault; how long that takes depends on what else the machine does.
vi.setConfig({ testTimeout: 120_000 });

const CONFIG: PartialEngineConfig = {
  wal: { segmentMaxBytes: 700, maxRecordBytes: 400, maxBatchBytes: 300 },
  checkpoint: { auto: false },
};

/** So many turns of the event loop later. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn();
}

const open = (disk: Disk, config: PartialEngineConfig = CONFIG) => Engine.open(config, disk);

async function pathsIn(disk: SimDisk, dir: string): Promise<string[]> {
  return (await disk.list(dir)).map(({ path }) => path.slice(dir.length + 1));
}

async function fill(engine: Engine, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await engine.put(`key ${i % 7}`, `${i}`.repeat(9));
}

/** The last LSN that would be left of the log, or of the checkpoint before it. */
async function logAfterPowerCut(disk: SimDisk): Promise<number> {
  const left = disk.fork();
  left.crash();
  const { lastLsn, checkpoint } = await recover(CONFIG, left, { dryRun: true });
  return lastLsn ?? checkpoint?.lsn ?? 0;
}

describe("a checkpoint", () => {
  it("takes the log's place: what is opened next has the state, and goes on behind it", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await fill(engine, 0, 30);
    await engine.delete("key 3");
    const before = await entriesOf(engine.scan());
    const sizeBefore = engine.stats().wal;
    const result = await engine.checkpoint();
    expect(result).toMatchObject({
      lsn: 31,
      sequence: 31,
      entries: 6,
      path: "checkpoint/000000000000001f.ckpt",
    });
    expect(result.segmentsDropped).toBe(sizeBefore.segments);
    expect(engine.stats().wal).toMatchObject({ segments: 1, bytes: 0 });
    const { bytes, durationMs } = result;
    expect(engine.stats().checkpoint).toEqual({
      ...{ lsn: 31, entries: 6, bytes, durationMs, finishedAt: expect.any(Number) },
      ...{ isRunning: false, finished: 1, failed: 0, heldUp: 0 },
    });
    expect(await engine.put("after", "1")).toMatchObject({ lsn: 32, sequence: 32 });
    await engine.close();

    const reopened = await open(disk);
    expect(reopened.lastRecovery).toMatchObject({ recordCount: 1, checkpoint: { lsn: 31, entries: 6 } });
    expect(await entriesOf(reopened.scan())).toEqual([["after", "1"], ...before]);
    expect(await reopened.put("again", "1")).toMatchObject({ lsn: 33, sequence: 33 });
    await reopened.close();
  });

  it("is framed as the log is: each entry with its own sequence, between the log's id and a NOOP", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await engine.put("b", "1");
    await engine.put("a", "1");
    await engine.put("b", "2");
    const { path } = await engine.checkpoint();
    const rows: unknown[] = [];
    for await (const row of inspectWal(disk, path)) {
      if ("type" in row) rows.push([row.type, row.lsn, row.sequence]);
    }
    expect(rows).toEqual([
      ["PUT", 3, 3],
      ["PUT", 4, 2],
      ["PUT", 5, 3],
      ["NOOP", 6, 3],
    ]);
    await engine.close();
  });

  it("of an empty store is one, and one that would say nothing new is not written again", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    expect(await engine.checkpoint()).toMatchObject({ lsn: 0, entries: 0 });
    await engine.put("a", "1");
    const first = await engine.checkpoint();
    const before = disk.events.filter(({ kind }) => kind === "rename").length;
    expect(await engine.checkpoint()).toMatchObject({
      ...first,
      segmentsDropped: 0,
      durationMs: expect.any(Number),
    });
    expect(disk.events.filter(({ kind }) => kind === "rename").length).toBe(before);
    expect(await pathsIn(disk, "checkpoint")).toEqual(["0000000000000001.ckpt"]);
    await engine.close();
  });

  it("lets writes and reads go on, and shows none of what came after it began", async () => {
    const disk = new SimDisk();
    const gate = holdUp(disk, ({ kind, path }) => kind === "append" && path.endsWith(".ckpt.tmp"));
    const engine = await Engine.open(CONFIG, gate.disk);
    await fill(engine, 0, 10);
    const running = engine.checkpoint();
    await gate.held;
    expect(engine.stats().checkpoint.isRunning).toBe(true);
    await engine.put("key 1", "newer");
    await engine.put("new", "1");
    expect(latin1((await engine.get("key 1")) as Uint8Array)).toBe("newer");
    gate.release();
    expect(await running).toMatchObject({ lsn: 10, entries: 7 });
    expect(engine.stats().snapshots).toEqual({ open: 0, bytes: 0 });
    disk.crash();
    const reopened = await open(disk);
    expect(reopened.lastRecovery.recordCount).toBe(2);
    expect(latin1((await reopened.get("key 1")) as Uint8Array)).toBe("newer");
    expect(await keysOf(reopened.scan({ gte: "n" }))).toEqual(["new"]);
    await reopened.close();
  });

  it("is never ahead of the log, however many write while it begins", async () => {
    for (const isUnhurried of [false, true]) {
      const disk = new SimDisk({ unhurried: isUnhurried });
      const covered: number[] = [];
      const watched = new InterceptedDisk(disk, ({ kind, path }) => {
        if (kind !== "open" || !path.endsWith(".ckpt.tmp")) return undefined;
        covered.push(Number.parseInt(path.slice(path.lastIndexOf("/") + 1), 16));
        return logAfterPowerCut(disk).then((lastLsn) => {
          expect(lastLsn).toBeGreaterThanOrEqual(covered.at(-1) as number);
        });
      });
      // With segments that nothing but the checkpoints closes.
      const engine = await Engine.open({ checkpoint: { auto: false } }, watched);
      let isOver = false;
      const relaxed = async (key: string) => {
        for (let i = 0; !isOver; i++) await engine.put(key, `${i}`, { durability: "relaxed" });
      };
      // Each is at another point of its way when the rotation ends.
      const writers = ["a", "b", "c", "d", "e"].map(async (key, i) => {
        for (let turn = 0; turn < i * 3; turn++) await undefined;
        await relaxed(key);
      });
      try {
        for (let i = 0; i < 20; i++) await engine.checkpoint();
      } finally {
        isOver = true;
        await Promise.all(writers);
      }
      expect(covered.length).toBe(20);
      expect(new Set(covered).size).toBe(20);
      await engine.close();
    }
  });

  it("is made once for all who ask while another is on its way", async () => {
    const disk = new SimDisk();
    const gate = holdUp(disk, ({ kind, path }) => kind === "append" && path.endsWith(".ckpt.tmp"));
    const engine = await Engine.open(CONFIG, gate.disk);
    await engine.put("a", "1");
    const first = engine.checkpoint();
    await gate.held;
    await engine.put("b", "1");
    const [second, third] = [engine.checkpoint(), engine.checkpoint()];
    gate.release();
    expect(await first).toMatchObject({ lsn: 1 });
    expect(await second).toMatchObject({ lsn: 2 });
    expect(await third).toEqual(await second);
    await engine.close();
  });

  it("that is under way when the engine is closed ends, and leaves nothing", async () => {
    const disk = new SimDisk();
    const gate = holdUp(disk, ({ kind, path }) => kind === "append" && path.endsWith(".ckpt.tmp"));
    const engine = await Engine.open(CONFIG, gate.disk);
    // More than one step's worth, so that there is a moment at which it can end.
    for (let i = 0; i < 900; i++) void engine.put(`key ${i}`, "x".repeat(300), { durability: "relaxed" });
    await engine.sync();
    const running = engine.checkpoint();
    await gate.held;
    const closing = engine.close();
    gate.release();
    await rejection("KAYA_CLOSED", running);
    await closing;
    expect(await pathsIn(disk, "checkpoint")).toEqual([]);
    await rejection("KAYA_CLOSED", engine.checkpoint());
    const reopened = await open(disk);
    expect(reopened.stats().entries).toBe(900);
    await reopened.close();
  });

  it("is not made by an engine that failed", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await engine.put("a", "1");
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    await rejection("KAYA_FSYNC_FAILED", engine.put("b", "1"));
    await rejection("KAYA_WRITER_FAILED", engine.checkpoint());
    expect(await disk.list("checkpoint")).toEqual([]);
    await engine.close().catch(() => undefined);
  });
});

describe("a checkpoint whose attempt failed behind its file", () => {
  /** Fails the operations that `fails` says, each time it says so. */
  const failing = (disk: Disk, fails: (operation: Operation) => boolean) =>
    new InterceptedDisk(disk, (operation) =>
      fails(operation)
        ? Promise.reject(new KayaError("KAYA_IO", `injected: ${operation.kind} ${operation.path}`))
        : undefined,
    );

  /** An engine with 20 entries, most of them only in a checkpoint behind which the removal of the one before it failed. */
  async function halfDone(disk: SimDisk, fails: (operation: Operation) => boolean) {
    let isFirst = true;
    const target = failing(disk, (operation) => {
      if (!isFirst) return fails(operation);
      isFirst = operation.kind !== "remove" || !operation.path.endsWith(".ckpt");
      return !isFirst;
    });
    const engine = await open(target);
    await engine.put("key 0", "1");
    await engine.checkpoint();
    for (let i = 1; i < 20; i++) await engine.put(`key ${i}`, "1");
    await rejection("KAYA_IO", engine.checkpoint());
    expect(engine.stats().checkpoint).toMatchObject({ lsn: 20, entries: 20, finished: 1, failed: 1 });
    return engine;
  }

  async function expectWhole(disk: SimDisk): Promise<void> {
    disk.crash();
    const reopened = await open(disk);
    expect(reopened.stats().entries).toBe(20);
    await reopened.close();
  }

  it.each(["append", "open", "sync", "rename", "syncDir"])(
    "is not written again, nor taken away where a %s of the next attempt fails",
    async (kind) => {
      const disk = new SimDisk();
      const engine = await halfDone(
        disk,
        (other) => other.kind === kind && other.path.includes("checkpoint"),
      );
      expect(await engine.checkpoint()).toMatchObject({ lsn: 20, entries: 20 });
      expect(await pathsIn(disk, "checkpoint")).toEqual(["0000000000000014.ckpt"]);
      await engine.close();
      await expectWhole(disk);
    },
  );

  it("is not taken away where the engine is closed in the next attempt", async () => {
    const disk = new SimDisk();
    const engine = await halfDone(disk, () => false);
    const next = engine.checkpoint().catch(() => undefined);
    await engine.close();
    await next;
    await expectWhole(disk);
  });

  it("is not taken away where its log could not be dropped, and goes on with that", async () => {
    const disk = new SimDisk();
    let isFailing = true;
    const engine = await open(
      failing(disk, ({ kind, path }) => isFailing && kind === "remove" && path.endsWith(".wal")),
    );
    await fill(engine, 0, 30);
    await rejection("KAYA_IO", engine.checkpoint());
    isFailing = false;
    const result = await engine.checkpoint();
    expect(result).toMatchObject({ lsn: 30, entries: 7 });
    expect(result.segmentsDropped).toBeGreaterThan(0);
    await engine.close();
  });

  it("leaves a file alone that has its name already, whatever fails", async () => {
    const snapshot = new Memtable().snapshot();
    const covered = { lsn: 3, sequence: 3, logId: "0123456789abcdef" };
    const operations = await (async () => {
      const disk = new SimDisk();
      await writeCheckpoint(disk, covered, snapshot);
      return disk.nextOperation;
    })();
    for (let at = 0; at < operations; at++) {
      const disk = new SimDisk();
      const { path } = await writeCheckpoint(disk, covered, snapshot);
      disk.addFault({ at: disk.nextOperation + at, kind: "io-error" });
      await writeCheckpoint(disk, covered, snapshot).catch(() => undefined);
      await loadCheckpoint(disk, (await listCheckpoints(disk)).newest ?? { lsn: 0, path, bytes: 0 }, {
        maxRecordBytes: 400,
        onEntry: () => undefined,
      });
    }
  });
});

describe("automatic checkpoints", () => {
  it("keep the log within its bound while the same keys are written again and again", async () => {
    const disk = new SimDisk();
    const engine = await open(disk, { ...CONFIG, checkpoint: { minLogBytes: 5000, logRatio: 1 } });
    let most = 0;
    for (let i = 0; i < 3000; i++) {
      await engine.put(`key ${i % 20}`, `${i}`.padStart(50, "x"));
      const files = [...(await disk.list("wal")), ...(await disk.list("checkpoint"))];
      most = Math.max(
        most,
        files.reduce((sum, { length }) => sum + length, 0),
      );
    }
    expect(engine.stats().checkpoint.lsn).toBeGreaterThan(2500);
    // Live data 20 x 106 bytes; the floor 5,000.
    expect(most).toBeLessThan(3 * 20 * 106 + 5000 + 2 * 700);
    await engine.close();
    const reopened = await open(disk);
    expect(reopened.stats().entries).toBe(20);
    expect(reopened.lastRecovery.recordCount).toBeLessThan(100);
    await reopened.close();
  });

  it("hold writers up where these write faster than the log can be shrunk", async () => {
    const disk = new SimDisk();
    // Each step of a checkpoint takes a hundred turns of the event loop; a write takes none.
    const slow = new InterceptedDisk(disk, ({ path, mutates }) =>
      mutates && path.includes(".ckpt") ? turns(100) : undefined,
    );
    const engine = await open(slow, {
      wal: { maxBatchBytes: 5000 },
      checkpoint: { minLogBytes: 100_000, logRatio: 0.5 },
    });
    const live = 20 * (48 + 6 + 3000);
    const bound = 100_000;
    let most = 0;
    for (let i = 0; i < 1000; i++) {
      await engine.put(`key ${10 + (i % 20)}`, new Uint8Array(3000), { durability: "relaxed" });
      await turns(1);
      most = Math.max(most, engine.stats().wal.bytes);
    }
    const { finished, heldUp } = engine.stats().checkpoint;
    expect(finished).toBeGreaterThan(3);
    expect(heldUp).toBeGreaterThan(3);
    expect(live).toBeLessThan(bound);
    expect(most).toBeGreaterThan(1.2 * bound);
    expect(most).toBeLessThan(2 * bound + 5000);
    await engine.close();
  });

  it("hold nobody up once they failed, nor when the engine is closed meanwhile", async () => {
    const disk = new SimDisk();
    let isFull = true;
    const full = new InterceptedDisk(disk, ({ kind, path }) => {
      if (isFull && kind === "append" && path.includes(".ckpt"))
        throw new KayaError("KAYA_DISK_FULL", "no space");
      return path.includes(".ckpt") ? turns(10) : undefined;
    });
    const engine = await open(full, { checkpoint: { minLogBytes: 10_000, logRatio: 0.5 } });
    const write = (count: number) =>
      Promise.all(Array.from({ length: count }, (_, i) => engine.put(`key ${i % 20}`, new Uint8Array(1000))));
    for (let i = 0; i < 20; i++) await write(10);
    expect(engine.stats().checkpoint).toMatchObject({ finished: 0, error: { code: "KAYA_DISK_FULL" } });
    expect(engine.stats().wal.bytes).toBeGreaterThan(200_000);
    isFull = false;
    const last = write(200);
    await turns(3);
    await Promise.all([last, engine.close()]);
    const { lastLsn, checkpoint } = await recover({}, disk, { dryRun: true });
    expect(lastLsn ?? checkpoint?.lsn).toBe(400);
  });

  it("do not come before the log is as large as the data, nor below the floor", async () => {
    for (const checkpoint of [
      { minLogBytes: 50_000, logRatio: 0.1 },
      { minLogBytes: 0, logRatio: 3 },
    ]) {
      const disk = new SimDisk();
      const engine = await open(disk, { ...CONFIG, checkpoint });
      for (let i = 0; i < 100; i++) await engine.put(`key ${i}`, "x".repeat(50));
      expect(engine.stats().checkpoint).toEqual({ isRunning: false, finished: 0, failed: 0, heldUp: 0 });
      await engine.close();
    }
  });

  it("that fail are told in stats, tried again later, and change nothing of what can be written", async () => {
    const disk = new SimDisk();
    let attempts = 0;
    const full = new InterceptedDisk(disk, ({ path, kind }) =>
      kind === "append" && path.endsWith(".ckpt.tmp") && ++attempts <= 2
        ? Promise.reject(new KayaError("KAYA_DISK_FULL", "no space left"))
        : undefined,
    );
    const checkpoint = { minLogBytes: 2000, logRatio: 0.1 };
    const engine = await Engine.open({ ...CONFIG, checkpoint }, full);
    let withError = 0;
    for (let i = 0; i < 400; i++) {
      await engine.put(`key ${i % 5}`, "x".repeat(50));
      if (engine.stats().checkpoint.error?.code === "KAYA_DISK_FULL") withError++;
    }
    expect(withError).toBeGreaterThan(5);
    expect(attempts).toBeGreaterThan(2);
    expect(engine.stats().checkpoint).toMatchObject({ lsn: expect.any(Number) });
    expect(engine.stats().checkpoint.error).toBe(undefined);
    expect(engine.stats().wal.bytes).toBeLessThan(2000 + 700);
    await engine.close();
  });
});

describe("a checkpoint that is damaged", () => {
  async function withCheckpoint(): Promise<{ disk: SimDisk; path: string; bytes: number }> {
    const disk = new SimDisk();
    const engine = await open(disk);
    await engine.put("a", "1");
    await engine.put("b", "22");
    const { path, bytes } = await engine.checkpoint();
    await engine.put("c", "3");
    await engine.close();
    return { disk, path, bytes };
  }

  const CODES = ["KAYA_CORRUPTION", "KAYA_UNSUPPORTED_VERSION", "KAYA_INVALID_ARGUMENT"];

  async function refusal(disk: SimDisk, config = CONFIG): Promise<KayaError> {
    const before = disk.stateDigest("everything");
    const opened = await open(disk, { ...config, disableLocking: true }).catch((error: unknown) => error);
    expect(KayaError.is(opened), String(opened)).toBe(true);
    expect(disk.stateDigest("everything")).toBe(before);
    return opened as KayaError;
  }

  it("is refused with its name and offset in every mode, whichever bit it is, and nothing is changed", async () => {
    const { bytes } = await withCheckpoint();
    for (let offset = 0; offset < bytes; offset++) {
      const { disk, path } = await withCheckpoint();
      disk.flipBit(path, offset, offset % 8);
      const error = await refusal(disk);
      expect(CODES).toContain(error.code);
      expect(error.message).toContain(path);
      expect(error.message).toMatch(/offset \d+|offset=\d+/);
    }
  });

  it("is refused at every length but its own", async () => {
    const { bytes } = await withCheckpoint();
    for (let length = 0; length < bytes; length++) {
      const { disk, path } = await withCheckpoint();
      await disk.truncateDurably(path, length);
      expect((await refusal(disk)).code).toBe("KAYA_CORRUPTION");
    }
  });

  it.each(["tail", "prefix", "absolute"] as const)("is refused with recovery: %s", async (mode) => {
    const { disk, path } = await withCheckpoint();
    disk.flipBit(path, 60, 1);
    expect((await refusal(disk, { ...CONFIG, wal: { ...CONFIG.wal, recovery: mode } })).code).toBe(
      "KAYA_CORRUPTION",
    );
  });

  it("is not passed over for an older one", async () => {
    const { disk, path } = await withCheckpoint();
    const engine = await open(disk);
    await engine.checkpoint();
    await engine.close();
    await disk.rename("checkpoint/0000000000000003.ckpt", path.replace("2.ckpt", "4.ckpt"));
    expect((await refusal(disk)).message).toContain("0000000000000004.ckpt");
  });

  it("is told by a dry run too", async () => {
    const { disk, path } = await withCheckpoint();
    expect(await recover(CONFIG, disk, { dryRun: true })).toMatchObject({
      recordCount: 1,
      checkpoint: { path, lsn: 2, entries: 2 },
    });
    disk.flipBit(path, 60, 1);
    await rejection("KAYA_CORRUPTION", recover(CONFIG, disk, { dryRun: true }));
  });
});

describe("a dry run beside an engine that makes checkpoints", () => {
  it("takes what a checkpoint removes under it for no damage", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await fill(engine, 0, 20);
    let checkpoints = 0;
    // The log is listed, and gone when it is opened.
    const meanwhile = new InterceptedDisk(disk, ({ kind, path }) => {
      if (kind !== "open" || !path.endsWith(".wal") || checkpoints++ > 2) return undefined;
      return fill(engine, 20, 40).then(async () => void (await engine.checkpoint()));
    });
    const report = await recover(CONFIG, meanwhile, { dryRun: true });
    expect(report).toMatchObject({ recordCount: 0, checkpoint: { entries: 7 } });
    expect(checkpoints).toBeGreaterThan(1);
    await engine.close();
  });

  it("tells of damage all the same", async () => {
    const disk = new SimDisk();
    const engine = await open(disk);
    await fill(engine, 0, 20);
    disk.flipBit("wal/0000000000000001.wal", 50, 1);
    await rejection("KAYA_CORRUPTION", recover(CONFIG, disk, { dryRun: true }));
    await engine.close();
  });
});

type End = CrashOptions | "killed";
const ENDS: readonly End[] = [
  {},
  { survive: "everything" },
  "killed",
  ...[1, 2, 3, 4, 5, 6].map((seed) => ({ survive: "random", seed }) as const),
];

/** One put after the other, with checkpoints in between: how many were acknowledged says how many must be there. */
interface Progress {
  acknowledged: number;
  relaxed: number;
}

async function workload(disk: Parameters<typeof Engine.open>[1], progress: Progress): Promise<Engine> {
  let engine = await Engine.open(CONFIG, disk);
  for (let i = 1; i <= 24; i++) {
    const durability = i % 3 === 0 ? "relaxed" : "strict";
    await engine.put("count", `${i}`, { durability });
    if (durability === "strict") progress.acknowledged = i;
    progress.relaxed = i;
    if (i % 8 === 0) await engine.put("padding", "x".repeat(300));
    if (i === 5 || i === 16 || i === 17) await engine.checkpoint();
    if (i === 11) {
      const running = engine.checkpoint();
      await engine.put("beside", "1");
      await running;
    }
    if (i === 13) {
      await engine.close();
      engine = await Engine.open(CONFIG, disk);
    }
  }
  return engine;
}

async function countOf(engine: Engine): Promise<number> {
  const value = await engine.get("count");
  return value === undefined ? 0 : Number(latin1(value));
}

const operations = await (async () => {
  const disk = new SimDisk();
  await (await workload(disk, { acknowledged: 0, relaxed: 0 })).close();
  return disk.nextOperation;
})();
const everyIndex = Array.from({ length: operations + 1 }, (_, at) => at);

async function crashAt(at: number, end: End, second?: number): Promise<string> {
  const disk = new SimDisk();
  const progress = { acknowledged: 0, relaxed: 0 };
  const stopping = stopBefore(at, disk);
  const done = workload(stopping.disk, progress).then((engine) => engine.close());
  await Promise.race([done, stopping.stopped]);
  await new Promise(setImmediate);
  if (end === "killed") disk.killProcess();
  else disk.crash(end);
  if (second !== undefined) {
    const again = stopBefore(disk.nextOperation + second, disk);
    await Promise.race([Engine.open(CONFIG, again.disk), again.stopped]);
    disk.crash({ survive: "random", seed: at });
  }
  const engine = await open(disk);
  const found = await countOf(engine);
  const least = end === "killed" ? progress.relaxed : progress.acknowledged;
  if (found < least) return `${found} is there, ${least} was acknowledged`;
  await engine.put("count", "1000");
  await engine.checkpoint();
  await engine.put("after", "1");
  disk.crash();
  const last = await open(disk);
  const wrong = (await countOf(last)) === 1000 && (await last.has("after")) ? "" : "what came later is gone";
  await last.close();
  return wrong;
}

describe("a crash at any operation of a checkpoint, and of what is around it", () => {
  it("loses nothing that was acknowledged, whatever the disk kept", async () => {
    for (const at of everyIndex) {
      for (const end of ENDS) expect(await crashAt(at, end), `at ${at}, ${JSON.stringify(end)}`).toBe("");
    }
  });

  it("nor does a second one inside the recovery from the first", async () => {
    for (const at of everyIndex) {
      for (let second = 0; second < 5; second++) {
        const end = { survive: "random", seed: at + second } as const;
        expect(await crashAt(at, end, second), `at ${at}, then ${second}`).toBe("");
      }
    }
  });
});

describe("a fault at any operation of a checkpoint, and of what is around it", () => {
  const FAULTS: readonly Omit<FaultRule, "at">[] = [
    { kind: "fsync-failed" },
    { kind: "io-error" },
    { kind: "disk-full" },
    { kind: "partial-write", bytes: 30 } as Omit<FaultRule, "at">,
  ];

  it.each(FAULTS)(
    "$kind: the engine goes on or says that it cannot, and a crash loses nothing",
    async (fault) => {
      for (const at of everyIndex) {
        const disk = new SimDisk({ faults: [{ at, ...fault } as FaultRule] });
        let acknowledged = 0;
        let engine: Engine | undefined;
        for (let i = 1; i <= 24; i++) {
          try {
            engine ??= await open(disk);
            await engine.put("count", `${i}`);
            acknowledged = i;
            if (i % 5 === 0) await engine.checkpoint();
          } catch (error) {
            expect(KayaError.is(error), `${fault.kind} at ${at}: ${error}`).toBe(true);
          }
          if (engine?.state === "failed") {
            await engine.close().catch(() => undefined);
            engine = undefined;
          }
        }
        disk.crash();
        const found = await openPatiently(disk, CONFIG);
        expect(await countOf(found), `${fault.kind} at ${at}`).toBeGreaterThanOrEqual(acknowledged);
        expect(
          await disk.list("checkpoint").then((files) => files.some(({ path }) => path.endsWith(".tmp"))),
        ).toBe(false);
        await found.close();
      }
    },
  );

  it("nor do two: one in an attempt, and another in the next, which is made at once", async () => {
    const kinds = ["io-error", "disk-full"] as const;
    for (const at of everyIndex) {
      for (let behind = 1; behind <= 12; behind++) {
        const disk = new SimDisk({ faults: [{ at, kind: "io-error" }] });
        disk.addFault({ at: at + behind, kind: kinds[behind % 2] ?? "io-error" });
        const acknowledged = await putsWithRepeatedCheckpoints(disk);
        disk.crash();
        const found = await openPatiently(disk, CONFIG);
        expect(await countOf(found), `at ${at} and ${behind} behind it`).toBeGreaterThanOrEqual(acknowledged);
        await found.close();
      }
    }
  });
});

/** Makes each checkpoint a second time at once where it failed. @returns the last put that was acknowledged */
async function putsWithRepeatedCheckpoints(disk: SimDisk): Promise<number> {
  let acknowledged = 0;
  let engine: Engine | undefined;
  for (let i = 1; i <= 12; i++) {
    try {
      engine ??= await open(disk);
      await engine.put("count", `${i}`);
      acknowledged = i;
      if (i % 4 > 0) continue;
      const again = engine;
      await engine.checkpoint().catch(() => again.checkpoint());
    } catch (error) {
      expect(KayaError.is(error), `${error}`).toBe(true);
    }
    if (engine?.state === "failed") {
      await engine.close().catch(() => undefined);
      engine = undefined;
    }
  }
  return acknowledged;
}
