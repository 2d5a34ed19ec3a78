import { type CrashOptions, type FaultRule, SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { Engine, KayaError, type PartialEngineConfig } from "../src/index.js";
import { stopBefore } from "./support/intercepted-disk.js";
import { latin1 } from "./support/text.js";
import { openPatiently } from "./support/workload.js";

// They try every place of a fault; how long that takes depends on what else the machine does.
vi.setConfig({ testTimeout: 240_000 });

const CONFIG: PartialEngineConfig = {
  wal: { segmentMaxBytes: 700, maxRecordBytes: 400, maxBatchBytes: 300 },
  tables: { autoFlush: false, quietMs: 0, level0Tables: 2 },
};

const open = (disk: SimDisk) => Engine.open(CONFIG, disk);

type End = CrashOptions | "killed";
/** The explorer of @kaya/sim goes through every state that a crash can leave; here each place has some of them. */
const endsAt = (at: number): readonly End[] => [
  [{}, "killed", { survive: "everything" }][at % 3] as End,
  { survive: "random", seed: at },
];

/** One put after the other, with flushes in between: how many were acknowledged says how many must be there. */
interface Progress {
  acknowledged: number;
  relaxed: number;
}

async function workload(disk: Parameters<typeof Engine.open>[1], progress: Progress): Promise<Engine> {
  let engine = await Engine.open(CONFIG, disk);
  for (let i = 1; i <= 18; i++) {
    const durability = i % 3 === 0 ? "relaxed" : "strict";
    await engine.put("count", `${i}`, { durability });
    if (durability === "strict") progress.acknowledged = i;
    progress.relaxed = i;
    if (i % 8 === 0) await engine.put("padding", "x".repeat(300));
    if (i === 5 || i === 16 || i === 17) await engine.flush();
    if (i === 11) {
      const running = engine.flush();
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
  await engine.flush();
  await engine.put("after", "1");
  disk.crash();
  const last = await open(disk);
  const wrong = (await countOf(last)) === 1000 && (await last.has("after")) ? "" : "what came later is gone";
  await last.close();
  return wrong;
}

describe("a crash at any operation of a flush, and of what is around it", () => {
  it("loses nothing that was acknowledged, whatever the disk kept", async () => {
    for (const at of everyIndex) {
      for (const end of endsAt(at))
        expect(await crashAt(at, end), `at ${at}, ${JSON.stringify(end)}`).toBe("");
    }
  });

  it("nor does a second one inside the recovery from the first", async () => {
    for (const at of everyIndex) {
      for (const second of [at % 7, 7 + (at % 11)]) {
        const end = { survive: "random", seed: at + second } as const;
        expect(await crashAt(at, end, second), `at ${at}, then ${second}`).toBe("");
      }
    }
  });
});

describe("a fault at any operation of a flush, and of what is around it", () => {
  const FAULTS: readonly Omit<FaultRule, "at">[] = [
    { kind: "fsync-failed" },
    { kind: "io-error" },
    { kind: "disk-full" },
    { kind: "partial-write", bytes: 30 } as Omit<FaultRule, "at">,
  ];

  it.each(FAULTS)(
    "$kind: the engine goes on or says that it cannot, and a crash loses nothing",
    async (fault) => {
      for (const at of everyIndex.filter((index) => index % 2 === fault.kind.length % 2)) {
        const disk = new SimDisk({ faults: [{ at, ...fault } as FaultRule] });
        let acknowledged = 0;
        let engine: Engine | undefined;
        for (let i = 1; i <= 18; i++) {
          try {
            engine ??= await open(disk);
            await engine.put("count", `${i}`);
            acknowledged = i;
            if (i % 5 === 0) await engine.flush();
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
        expect(await disk.list("sst").then((files) => files.some(({ path }) => path.endsWith(".tmp")))).toBe(
          false,
        );
        await found.close();
      }
    },
  );

  it("nor do two: one in an attempt, and another in the next, which is made at once", async () => {
    const kinds = ["io-error", "disk-full"] as const;
    for (const at of everyIndex) {
      for (const behind of [1 + (at % 4), 5 + (at % 7)]) {
        const disk = new SimDisk({ faults: [{ at, kind: "io-error" }] });
        disk.addFault({ at: at + behind, kind: kinds[behind % 2] ?? "io-error" });
        const acknowledged = await putsWithRepeatedFlushes(disk);
        disk.crash();
        const found = await openPatiently(disk, CONFIG);
        expect(await countOf(found), `at ${at} and ${behind} behind it`).toBeGreaterThanOrEqual(acknowledged);
        await found.close();
      }
    }
  });
});

/** Makes each flush a second time at once where it failed. @returns the last put that was acknowledged */
async function putsWithRepeatedFlushes(disk: SimDisk): Promise<number> {
  let acknowledged = 0;
  let engine: Engine | undefined;
  for (let i = 1; i <= 12; i++) {
    try {
      engine ??= await open(disk);
      await engine.put("count", `${i}`);
      acknowledged = i;
      if (i % 4 > 0) continue;
      const again = engine;
      await engine.flush().catch(() => again.flush());
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
