import type { PartialEngineConfig } from "@kaya/core";
import type { Snapshot } from "@kaya/engine";
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
import { type Contents, checkContents, contentsAfter, contentsOf } from "./engine-write.js";
import { TINY } from "./open-engine.js";
import type { ExplorationBudget, Scenario } from "./scenario.js";
import { UnmetFaultError } from "./unmet-fault.js";

const LIVES: readonly Life[] = [
  { name: "a key that is deleted, and compacted away", live: deleteAndCompact },
  { name: "a range that is cleared, flushed and compacted", live: clearAndCompact },
  { name: "snapshots held over flushes and compactions", live: holdSnapshots },
  { name: "crashed and killed inside a compaction", live: crashInside },
];

const BY_THEMSELVES: readonly Life[] = [
  { name: "compactions behind flushes, by themselves", live: flushOften },
];

const FAULTED = livesWithFaults("in a compaction", failAt);

/** A merge of a few tables: their successors are opened, filled, synced and named, an edit is appended and synced, they are removed. */
const PLACES = [0, 1, 2, 3, 4, 5, 6, 8];
/** Those of the flush that it begins with, which has nothing to write but the mark of a rotation. */
const LEAST_MET = 1;

/** Many moments: few of the recoveries behind them are crashed in turn. */
const FEW_DEEP: ExplorationBudget = { recoveryShare: 0.2 };

/** What @kaya/engine promises where tables are merged: nothing is lost, and nothing that was deleted comes back. */
export function engineCompactionScenarios(config: PartialEngineConfig): Scenario[] {
  const tiny = { ...config, tables: TINY };
  const automatic = { ...config, tables: { ...TINY, autoCompact: true } };
  return [
    ...scenariosOf(LIVES, { config: tiny, flushes: true }),
    ...scenariosOf(BY_THEMSELVES, { config: automatic, flushes: true }),
    ...scenariosOf(FAULTED, { config: tiny, flushes: true, limits: FEW_DEEP }),
  ];
}

async function deleteAndCompact(session: EngineSession): Promise<void> {
  await session.put("a", long(200));
  await session.put("b", long(200), "relaxed");
  await session.put("c", long(100), "relaxed");
  await mustFlush(session);
  await mustCompact(session); // the deepest level has all three
  await session.delete("b", "relaxed");
  await mustFlush(session); // one table of a tombstone above it
  await session.put("a", "newer", "relaxed");
  await mustCompact(session);
  await session.delete("c");
  await mustCompact(session);
  await session.close();
  await session.open();
  await mustShow(session, "opened again");
  await session.put("b", "put again");
}

async function clearAndCompact(session: EngineSession): Promise<void> {
  for (const key of ["k1", "k2", "k3", "m1"]) await session.put(key, long(150), "relaxed");
  await mustFlush(session);
  await session.clear("k", "relaxed");
  await session.put("k2", "behind the clear", "relaxed");
  await mustFlush(session);
  await mustShow(session, "with a range tombstone in a table");
  await session.put("k3", long(300), "relaxed");
  await session.clear("m");
  await mustCompact(session);
  await mustShow(session, "compacted");
  await session.clear("", "relaxed");
  await session.put("alone");
  await mustCompact(session);
  await mustShow(session, "with everything cleared");
}

/** A snapshot and the contents that it must always show. */
interface Held {
  readonly snapshot: Snapshot;
  readonly contents: Contents;
}

async function holdSnapshots(session: EngineSession): Promise<void> {
  const held: Held[] = [];
  const hold = () => held.push({ snapshot: session.engine.snapshot(), contents: contentsAfter(session.log) });
  for (let n = 0; n < 4; n++) {
    await session.put(`a${n % 2}`, long(150 + n));
    await session.put(`b${n}`, long(100));
    hold();
    if (n === 2) await session.clear("b");
    const running = session.flush();
    await session.delete(`a${(n + 1) % 2}`);
    hold(); // while the memtable that it has is being flushed
    await mustBeDone(running, "a flush");
    if (n % 2 === 1) await mustCompact(session);
  }
  for (const [index, { snapshot, contents }] of held.entries()) {
    checkContents(await contentsOf(snapshot), contents, `in snapshot ${index}`);
    snapshot.close();
  }
  await mustCompact(session);
  await mustShow(session, "with all snapshots closed");
}

async function crashInside(session: EngineSession, disk: SimDisk): Promise<void> {
  for (let n = 0; n < 4; n++) {
    await session.put("same", long(100 * n));
    await session.put(`a${n}`, long(200), "relaxed");
    await mustFlush(session);
    await session.delete(`a${n - 1}`, "relaxed");
    const end = disk.nextOperation + 14 + 2 * n;
    void session.compact(); // it never ends: the process does
    while (disk.nextOperation < end) await session.put("beside", `${disk.nextOperation}`, "relaxed");
    if (n % 2 === 0) session.kill();
    else session.crash({ survive: "random", seed: n });
    await session.open();
    await mustShow(session, "after the end");
  }
  await session.put("last");
}

async function flushOften(session: EngineSession): Promise<void> {
  for (let n = 0; n < 7; n++) {
    await session.put(`a${n % 3}`, long(120 + n), "relaxed");
    await session.put(`b${n}`, long(130), "relaxed");
    if (n > 1) await session.delete(`b${n - 2}`, "relaxed");
    await mustFlush(session);
  }
  await settled(session);
  await mustShow(session, "settled");
  const { merges, moves } = session.engine.stats().tables.compactions;
  if (merges + moves < 2) throw new Error(`it compacted ${merges + moves} times by itself`);
  await session.close();
}

/** Each compaction that fails is tried again before the next fault. */
async function failAt(session: EngineSession, disk: SimDisk, fault: PlacelessFault): Promise<void> {
  let met = 0;
  for (const [index, place] of PLACES.entries()) {
    await session.put("same", long(40 * index));
    await session.put(`a${index}`, long(200), "relaxed");
    await session.delete(`a${index - 1}`, "relaxed");
    await session.flush();
    const at = disk.nextOperation + place;
    disk.addFault({ ...fault, at });
    await session.compact();
    if (wasMet(disk, at)) met++;
    if (session.failure !== undefined) {
      await session.close();
      await session.open();
    }
    await mustShow(session, `with ${fault.kind} at ${place}`);
    if (index % 2 === 0) await session.compact();
  }
  if (met < LEAST_MET) throw new UnmetFaultError(`${met} faults were met, not ${LEAST_MET}`);
  await session.put("last");
}

async function mustFlush(session: EngineSession): Promise<void> {
  await mustBeDone(session.flush(), "a flush");
}

async function mustCompact(session: EngineSession): Promise<void> {
  await mustBeDone(session.compact(), "a compaction");
}

async function mustShow(session: EngineSession, when: string): Promise<void> {
  await checkReads(session.engine, contentsAfter(session.log), keysOf(session.log), when);
}

/** No compaction is under way any more. */
async function settled({ engine }: EngineSession): Promise<void> {
  while (engine.stats().tables.isCompacting) await new Promise(setImmediate);
}
