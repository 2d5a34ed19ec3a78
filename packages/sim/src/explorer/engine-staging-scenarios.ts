import type { PartialEngineConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { isGranted } from "./answers.js";
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
import { TINY } from "./open-engine.js";
import type { ExplorationBudget, Scenario } from "./scenario.js";
import { UnmetFaultError } from "./unmet-fault.js";

/** A memtable of a few writes. The engine flushes none by itself, so a log of many is there to be replayed. */
const MEMORY = { memtableBytes: 1024, cacheBytes: 32 * 1024 };

const LIVES: readonly Life[] = [
  { name: "a log that does not fit a memtable, opened after each kind of end", live: openLong },
  { name: "an opening with a long log that is killed, and the one behind it", live: killOpenings },
  { name: "a long log on a full disk", live: openOnFullDisk },
];

const FAULTED = livesWithFaults("in an opening with a long log, and in the one behind it", failOpenings);

/** Three tables of three operations each, the copy of the segment, the manifest, and the edit that publishes them. */
const OPENING_OPERATIONS = 36;
const LEAST_MET = 2;

/** The opening is crashed, and the one behind it: of some of the states, as there are many. */
const TWO_CRASHES: ExplorationBudget = { recoveryDepth: 2, recoveryShare: 0.3 };
/** Many moments: few of the recoveries behind them are crashed in turn. */
const FEW_DEEP: ExplorationBudget = { recoveryShare: 0.2 };

/** What @kaya/engine promises of openings that turn a long log into tables: L6 in FLUSH.md. */
export function engineStagingScenarios(config: PartialEngineConfig): Scenario[] {
  const staging = { ...config, memory: MEMORY, tables: TINY };
  return [
    ...scenariosOf(LIVES.slice(0, 1), { config: staging, limits: TWO_CRASHES }),
    ...scenariosOf(LIVES.slice(1), { config: staging, flushes: true }),
    ...scenariosOf(FAULTED, { config: staging, flushes: true, limits: FEW_DEEP }),
  ];
}

/** More than two memtables of puts over old keys and new ones, deletions, and a range. */
async function writeLong(session: EngineSession, round: number): Promise<void> {
  for (let n = 0; n < 4; n++) await session.put(`a${(round + n) % 5}`, long(90 + 20 * n), "relaxed");
  await session.delete(`a${(round + 4) % 5}`, "relaxed");
  await session.put(`b${round}`, long(120));
  if (round % 2 === 1) await session.clear("a1", "relaxed");
  for (let n = 0; n < 3; n++) await session.put(`c${n}`, long(110 + round), "relaxed");
}

async function openLong(session: EngineSession): Promise<void> {
  await writeLong(session, 0);
  session.kill();
  await session.open();
  await mustShow(session, "opened after a kill");
  await writeLong(session, 1);
  session.crash({ survive: "random", seed: 1 });
  await session.open();
  await mustShow(session, "opened after a power cut");
  await session.delete("a2", "relaxed");
  await session.close();
}

async function killOpenings(session: EngineSession, disk: SimDisk): Promise<void> {
  await session.put("first", long(80));
  await mustBeDone(session.flush(), "a flush");
  await writeLong(session, 1);
  for (const operations of [4, 9, 17, 24, 31]) {
    session.kill();
    const end = disk.nextOperation + operations;
    const opening = isGranted(session.open());
    while (disk.nextOperation < end) await new Promise(setImmediate);
    session.kill();
    if (await opening) throw new Error(`it opened, and was killed before operation ${operations}`);
  }
  await session.open();
  await mustShow(session, "opened in the end");
  await mustBeDone(session.compact(), "a compaction");
}

/** The disk has no room to make its data durable, nor for the tables of the log. */
async function openOnFullDisk(session: EngineSession, disk: SimDisk): Promise<void> {
  await writeLong(session, 0);
  for (const first of [0, 3, 6, 9]) {
    await session.put("tail", long(100 + first), "relaxed");
    session.kill();
    const full = disk.scheduleFaults(
      { kind: "disk-full", after: first },
      ...Array.from({ length: 40 }, () => ({ kind: "disk-full", after: 0 }) as const),
    );
    if (await isGranted(session.open())) {
      await mustShow(session, "opened on a full disk");
      await session.put("no room", long(60), "relaxed");
      session.kill();
    }
    full.cancel();
    await session.open();
    await mustShow(session, "opened with room");
  }
  await session.put("last");
}

/** A fault in an opening, another one in the next, each as late as the one before or later. */
async function failOpenings(session: EngineSession, disk: SimDisk, fault: PlacelessFault): Promise<void> {
  let met = 0;
  const first = fault.kind === "fsync-failed" ? 2 : 0; // every third operation of the tables is a sync
  for (let place = first; place < OPENING_OPERATIONS; place += 8) {
    await writeLong(session, place / 8);
    session.kill();
    for (const each of [place, place + 3]) {
      const at = disk.nextOperation + each;
      disk.addFault({ ...fault, at });
      if (await isGranted(session.open())) session.kill();
      if (wasMet(disk, at)) met++;
    }
    if (!(await isGranted(session.open()))) await session.open();
    await mustShow(session, `with faults from operation ${place} of the opening on`);
  }
  if (met < LEAST_MET) throw new UnmetFaultError(`${met} faults were met, not ${LEAST_MET}`);
  await session.put("last");
}

async function mustShow(session: EngineSession, when: string): Promise<void> {
  await checkReads(session.engine, contentsAfter(session.log), keysOf(session.log), when);
}
