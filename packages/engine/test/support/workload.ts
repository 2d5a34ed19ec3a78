import type { Disk } from "@kaya/io";
import { Engine, KayaError, type PartialEngineConfig } from "../../src/index.js";
import type { Change, Journal } from "./journal.js";

/** Small enough that a few writes fill a batch, and a few more a segment. */
export const SMALL: PartialEngineConfig = {
  wal: { segmentMaxBytes: 700, maxRecordBytes: 400, maxBatchBytes: 300 },
};

type Step =
  | { readonly do: "write"; readonly changes: readonly Change[]; readonly durability: "strict" | "relaxed" }
  /** Waits for all writes so far. */
  | { readonly do: "wait" }
  | { readonly do: "sync" }
  | { readonly do: "reopen" };

const strict = (...changes: readonly Change[]): Step => ({ do: "write", changes, durability: "strict" });
const relaxed = (...changes: readonly Change[]): Step => ({ do: "write", changes, durability: "relaxed" });
const wait: Step = { do: "wait" };

/** Lone writes, groups of both modes, segments that fill, deletes, a sync, a clean close and what follows it. */
export const STEPS: readonly Step[] = [
  strict(["a", "1"]),
  wait,
  relaxed(["b", "1"]),
  wait,
  relaxed(["c", "1"]),
  strict(["b"], ["d", "1"]),
  relaxed(["d", "2"]),
  wait,
  strict(["e", "x".repeat(200)]),
  relaxed(["f", "x".repeat(200)]),
  relaxed(["g", "x".repeat(200)]),
  strict(["a", "2"]),
  wait,
  relaxed(["h", "1"]),
  wait,
  { do: "sync" },
  relaxed(["e"], ["i", "1"]),
  relaxed(["j", "1"]),
  { do: "reopen" },
  relaxed(["k", "x".repeat(150)]),
  strict(["k", "1"]),
  wait,
  relaxed(["l", "1"]),
  wait,
];

/**
 * Carries out the steps on one disk, as a program does that goes on after every error: where the engine failed it is
 * closed and opened again. Gives what was wrong, or "".
 */
export async function runWorkload(
  disk: Disk,
  journal: Journal,
  steps: readonly Step[] = STEPS,
  config: PartialEngineConfig = SMALL,
): Promise<{ engine: Engine; wrong: string }> {
  let engine = await openPatiently(disk, config);
  let wrong = "";
  let writes: Promise<unknown>[] = [];
  const settle = async () => {
    await Promise.all(writes);
    writes = [];
    wrong ||= await journal.checkReads(engine);
  };
  const reopen = async () => {
    await engine.close().catch((error: unknown) => {
      if (!KayaError.is(error)) wrong ||= `close rejected with ${error}`;
    });
    engine = await openPatiently(disk, config);
    wrong ||= await journal.check(engine, disk, false);
  };
  for (const step of steps) {
    if (step.do === "write") writes.push(journal.write(engine, step.changes, step.durability));
    else await settle();
    if (step.do === "sync")
      await engine.sync().then(
        () => journal.synced(),
        () => undefined,
      );
    if (step.do === "reopen" || engine.state === "failed") {
      await settle();
      await reopen();
    }
  }
  await settle();
  if (engine.state === "failed") await reopen();
  return { engine, wrong };
}

/** Opens, and again where a fault came in between. */
export async function openPatiently(disk: Disk, config: PartialEngineConfig = SMALL): Promise<Engine> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await Engine.open(config, disk);
    } catch (error) {
      if (!KayaError.is(error) || attempt === 20) throw error;
    }
  }
}
