import { KayaError, type KayaErrorCode, type PartialEngineConfig } from "@kaya/core";
import { Engine } from "@kaya/engine";
import { SimDisk } from "@kaya/io";
import { parseLogMark } from "@kaya/wal";
import type { Check } from "./check-run.js";
import { engineCheck } from "./engine-check.js";
import { EngineSession } from "./engine-session.js";
import type { EngineWrite } from "./engine-write.js";
import { openEngine, TINY } from "./open-engine.js";
import { rejectionOf } from "./refusal.js";
import { type Scenario, scenario } from "./scenario.js";
import { tableDamageCheck } from "./table-damage.js";

/**
 * What @kaya/engine concludes from the files beside the log: every crash state opens, and in each of these states damage that no crash does
 * is refused. Damage is done to a copy of the state.
 */
export function engineEvidenceScenarios(config: PartialEngineConfig): Scenario[] {
  const make = (name: string, check: Check<EngineWrite>) =>
    scenario<EngineWrite>(`engine: ${name}`, {
      workload: async (disk, history) => closeAndCrash(new EngineSession(disk, history, { config })),
      check,
    });
  const checkIntact = engineCheck(config);
  return [
    make("damage before a clean close", async (disk, view, recovered) => {
      const segments = (await disk.list("wal")).filter((entry) => entry.path.endsWith(".wal"));
      for (const [what, damaged] of damagesBeforeClose(disk, segments.at(-1)?.path))
        await mustBeRefused(damaged, config, "KAYA_CORRUPTION", what);
      await checkIntact(disk, view, recovered);
    }),
    make("tables of another store", async (disk, view, recovered) => {
      const mixed = await withForeignTables(disk, config);
      if (mixed !== undefined)
        await mustBeRefused(mixed, config, "KAYA_CORRUPTION", "tables of another store beside this log");
      await checkIntact(disk, view, recovered);
    }),
    make("damage in tables and their manifest", tableDamageCheck({ ...config, tables: TINY })),
    make("files of somebody else", async (disk, view, recovered) => {
      const foreign = new SimDisk();
      foreign.writeFile("LOCK", new Uint8Array());
      foreign.writeFile("CURRENT", new Uint8Array(16));
      await mustBeRefused(foreign, config, "KAYA_INVALID_ARGUMENT", "a directory of somebody else");
      if (foreign.nextOperation > 0) throw new Error("a directory of somebody else was refused, and changed");
      // A stray file beside ours is allowed.
      const ours = /\.wal$|\/log-id$/;
      if ((await disk.list("wal")).some(({ path }) => ours.test(path)))
        disk.writeFile("notes.txt", new Uint8Array(3));
      await checkIntact(disk, view, recovered);
    }),
  ];
}

const long = (length: number): string => "x".repeat(length);

/** Closed cleanly, and then not: with rotations, a flush, a kill and power cuts between. */
async function closeAndCrash(session: EngineSession): Promise<void> {
  await session.open();
  for (let n = 0; n < 3; n++) await session.put(`a${n}`, long(150), n % 2 === 0 ? "strict" : "relaxed");
  await session.close();
  await session.open();
  await session.put("b", long(300), "relaxed");
  await session.put("c", long(250), "relaxed");
  session.kill();
  await session.open();
  await session.put("d", long(100));
  await session.flush();
  await session.put("e", long(40));
  await session.close();
  await session.open();
  await session.put("f", long(200), "relaxed");
  session.crash({ survive: "random", seed: 7 });
  await session.open();
  await session.put("g", long(300), "relaxed");
  await session.put("h", long(300));
}

/** The state with damage before the mark of the last clean close. */
function* damagesBeforeClose(
  disk: SimDisk,
  lastSegment: string | undefined,
): Generator<readonly [what: string, damaged: SimDisk]> {
  const note = Buffer.from(disk.readFile("LOCK") ?? []).toString("latin1");
  const mark = parseLogMark(/ mark=(\S+)/.exec(note)?.[1]);
  if (mark?.id === undefined || mark.length === 0) return;
  const path = `wal/${mark.segmentId.toString(16).padStart(16, "0")}.wal`;
  // The tables may cover the segment since: then it is dropped, or not read.
  if (path !== lastSegment) return;
  const length = disk.readFile(path)?.length ?? 0;
  if (length < mark.length) return;
  const flipped = disk.fork();
  flipped.flipBit(path, mark.length - 1, 3);
  yield [`a flipped bit before the end that LOCK says ${path} had`, flipped];
  if (length > mark.length) return;
  const shorter = disk.fork();
  shorter.truncateDurably(path, mark.length - 1);
  yield [`${path} is shorter than LOCK says`, shorter];
}

/** Another store's tables instead of these. Undefined if there is no log beside them. */
async function withForeignTables(disk: SimDisk, config: PartialEngineConfig): Promise<SimDisk | undefined> {
  const log = await disk.list("wal");
  if (!log.some(({ path }) => path.endsWith(".wal")) || !log.some(({ path }) => path === "wal/log-id"))
    return undefined;
  const other = new SimDisk();
  const engine = await Engine.open(config, other, { newLogId: () => "f".repeat(16) });
  await engine.put("of another store", "1");
  await engine.flush();
  await engine.close();
  const mixed = disk.fork();
  for (const dir of ["manifest", "sst"]) {
    for (const { path } of await mixed.list(dir)) mixed.removeDurably(path);
    for (const { path } of await other.list(dir))
      mixed.writeFile(path, other.readFile(path) ?? new Uint8Array());
  }
  return mixed;
}

async function mustBeRefused(
  disk: SimDisk,
  config: PartialEngineConfig,
  code: KayaErrorCode,
  what: string,
): Promise<void> {
  const error = await rejectionOf(openEngine(config, disk));
  if (error === undefined) throw new Error(`${what}: opened, and must be refused with ${code}`);
  if (!KayaError.is(error, code)) throw new Error(`${what}: refused with ${error}, not with ${code}`);
}
