import type { PartialEngineConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import {
  type Life,
  livesWithFaults,
  long,
  mustBeDone,
  type PlacelessFault,
  scenariosOf,
  wasMet,
} from "./engine-lives.js";
import { checkReads, keysOf } from "./engine-reads.js";
import type { EngineSession } from "./engine-session.js";
import { contentsAfter } from "./engine-write.js";
import { STILL, TINY } from "./open-engine.js";
import type { ExplorationBudget, Scenario } from "./scenario.js";
import { UnmetFaultError } from "./unmet-fault.js";

/** Operations of a flush with a write beside it, a few more or less by what was before: up to its table, and from there on. */
const HALVES: readonly (readonly [name: string, places: readonly number[]])[] = [
  ["as a flush begins", [0, 1, 2, 3, 4, 5, 6, 7]],
  ["as a flush ends", [7, 8, 9, 10, 11, 12, 13, 14]],
];
/** A full disk meets little of the second half. */
const LEAST_MET = 1;

/** Many moments: few of the recoveries behind them are crashed in turn. */
const FEW_DEEP: ExplorationBudget = { recoveryShare: 0.2 };

const LIVES: readonly Life[] = [
  { name: "a flush, a second one, opened again", live: flushTwice },
  { name: "writes beside a running flush", live: writeBeside },
  { name: "crashed and killed inside a flush", live: crashInside },
  { name: "a manifest that each opening begins anew", live: openOften },
];

const WITH_FAULTS = HALVES.flatMap(([where, places]) =>
  livesWithFaults(where, (session, disk, fault) => failAt(places, session, disk, fault)),
);

/** They seal a memtable after about four of the writes of `writeAlone`. */
const ALONE: PartialEngineConfig = {
  memory: { memtableBytes: 1024, cacheBytes: 32 * 1024 },
  tables: { ...TINY, autoFlush: true, autoCompact: true },
};

/** What @kaya/engine promises of flushes: FLUSH.md. */
export function engineFlushScenarios(config: PartialEngineConfig): Scenario[] {
  const still = { ...config, tables: STILL };
  return [
    ...scenariosOf(LIVES, { config: still, flushes: true }),
    ...scenariosOf(WITH_FAULTS, { config: still, flushes: true, limits: FEW_DEEP }),
    ...scenariosOf([{ name: "flushes and compactions by themselves", live: writeAlone }], {
      config: { ...config, ...ALONE },
    }),
  ];
}

async function flushTwice(session: EngineSession): Promise<void> {
  await session.put("a", long(100));
  await session.put("b", long(300), "relaxed");
  await session.delete("a", "relaxed");
  await mustFlush(session);
  await session.put("a", long(200), "relaxed");
  await Promise.all([session.put("c", long(300)), session.put("d", "", "relaxed")]);
  await mustFlush(session);
  await session.put("e", long(50), "relaxed");
  await session.close();
  await session.open();
  await session.clear("c", "relaxed");
  await session.put("f");
}

async function writeBeside(session: EngineSession): Promise<void> {
  await session.put("k1", long(150));
  await session.put("k2", long(100), "relaxed");
  const running = session.flush();
  await Promise.all([
    session.put("k3", long(300), "relaxed"),
    session.put("k1"),
    session.delete("k2", "relaxed"),
  ]);
  await session.put("k4", long(350), "relaxed");
  await session.clear("k", "relaxed");
  await mustBeDone(running, "a flush");
  await session.put("k5", "", "relaxed");
  const both = [session.flush(), session.put("k6", long(90), "relaxed"), session.flush()];
  await session.put("k7", long(20), "relaxed");
  await Promise.all(both);
  await session.put("k8", long(400), "relaxed");
}

async function crashInside(session: EngineSession, disk: SimDisk): Promise<void> {
  for (let n = 0; n < 4; n++) {
    await session.put(`a${n}`, long(150));
    await session.put("same", long(80 * n), "relaxed");
    const end = disk.nextOperation + 5 + 2 * n;
    void session.flush(); // it never ends: the process does
    while (disk.nextOperation < end) await session.put("beside", long(n), "relaxed");
    if (n % 2 === 0) session.kill();
    else session.crash({ survive: "random", seed: n });
    await session.open();
    await session.delete(`a${n - 1}`, "relaxed");
  }
  await session.put("last");
}

/** A process that was killed leaves a manifest that the next opening begins anew; what closes cleanly leaves one to go on with. */
async function openOften(session: EngineSession): Promise<void> {
  for (let n = 0; n < 4; n++) {
    await session.put(`a${n % 2}`, long(60 * n));
    await session.put("b", `${n}`, "relaxed");
    if (n !== 2) await mustFlush(session);
    if (n === 1) await session.close();
    else session.kill();
    await session.open();
  }
  await session.delete("b");
  await mustFlush(session);
}

async function writeAlone(session: EngineSession): Promise<void> {
  for (let n = 0; n < 20; n++) {
    await session.put(`a${n % 6}`, long(40 * (n % 5)), n % 4 === 0 ? "strict" : "relaxed");
    if (n % 5 === 2) await session.delete(`a${(n + 3) % 6}`, "relaxed");
    if (n % 7 === 6) await session.clear("a1", "relaxed");
    await session.engine.ready();
  }
  await session.put("b");
  const { flush, tables } = session.engine.stats();
  if (flush.finished < 2) throw new Error(`it flushed ${flush.finished} times by itself`);
  if (tables.compactions.merges + tables.compactions.moves === 0)
    throw new Error("it never compacted by itself");
  await session.close();
}

/** Each flush that fails is tried again before the next fault. */
async function failAt(
  places: readonly number[],
  session: EngineSession,
  disk: SimDisk,
  fault: PlacelessFault,
): Promise<void> {
  await session.put("first");
  let met = 0;
  for (const [index, place] of places.entries()) {
    await session.put(`a${index}`, long(40 * (index % 3)));
    await session.put("relaxed", `${index}`, "relaxed");
    const at = disk.nextOperation + place;
    disk.addFault({ ...fault, at });
    await Promise.all([session.flush(), session.put("beside", `${index}`, "relaxed")]);
    if (wasMet(disk, at)) met++;
    if (session.failure !== undefined) {
      await session.close();
      await session.open();
    }
    await mustShow(session);
    if (index % 2 === 0) await session.flush();
  }
  if (met < LEAST_MET) throw new UnmetFaultError(`${met} faults were met, not ${LEAST_MET}`);
  await session.put("last");
}

async function mustFlush(session: EngineSession): Promise<void> {
  await mustBeDone(session.flush(), "a flush");
}

/** L1, L4: whatever the outcome of a flush, reads give what was written. */
async function mustShow(session: EngineSession): Promise<void> {
  await checkReads(session.engine, contentsAfter(session.log), keysOf(session.log), "beside a fault");
}
