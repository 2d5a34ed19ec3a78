import type { PartialEngineConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { cutCheck, feedCheck } from "./feed-check.js";
import { type FeedFact, FeedSession } from "./feed-session.js";
import { STILL } from "./open-engine.js";
import { type Scenario, scenario } from "./scenario.js";

type Live = (session: FeedSession, disk: SimDisk) => Promise<void>;

const LIVES: readonly (readonly [name: string, live: Live])[] = [
  ["writes of both modes over several segments", writeAll],
  ["flushes beside consumers", flush],
  ["crashed and killed", crashAndKill],
  ["a failed fsync", failSync],
  ["a full disk", fillDisk],
];

/** What @kaya/engine promises those who follow its changes. */
export function engineFeedScenarios(base: PartialEngineConfig): Scenario[] {
  const config = { ...base, tables: STILL };
  const make = (name: string, live: Live, check: typeof feedCheck) =>
    scenario<FeedFact>(`engine: a feed: ${name}`, {
      workload: async (disk, history) => {
        const session = new FeedSession(disk, history, config);
        await session.open();
        await live(session, disk);
      },
      check: check(config),
    });
  return [...LIVES.map(([name, live]) => make(name, live, feedCheck)), make("a cut", writeFew, cutCheck)];
}

async function writeAll(session: FeedSession): Promise<void> {
  await session.put("a", 10);
  await session.put("b", 300, "relaxed");
  await session.put("c", 300, "relaxed");
  await session.put("d", 300);
  await session.put("e", 20, "relaxed");
  await session.sync();
  await session.reopen();
  await session.put("i", 350, "relaxed");
  await session.put("j", 10);
}

async function writeFew(session: FeedSession): Promise<void> {
  await session.put("a", 10);
  await session.put("b", 200, "relaxed");
  await session.put("c", 10);
}

async function flush(session: FeedSession): Promise<void> {
  await session.put("a", 300);
  await session.put("b", 300);
  await session.flush();
  await session.put("c", 300, "relaxed");
  const running = session.flush();
  await session.put("d", 300, "relaxed");
  await running;
  await session.put("e", 10);
  await session.reopen();
  await session.put("f", 10, "relaxed");
  await session.flush();
}

async function crashAndKill(session: FeedSession): Promise<void> {
  for (let n = 0; n < 2; n++) {
    await session.put(`a${n}`, 100);
    await session.put(`b${n}`, 300, "relaxed");
    await session.kill();
    await session.put(`c${n}`, 100, "relaxed");
    await session.crash({ survive: "random", seed: n });
    await session.put(`d${n}`, 50);
  }
}

async function failSync(session: FeedSession, disk: SimDisk): Promise<void> {
  await session.put("a", 100);
  await session.put("b", 100, "relaxed");
  disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
  await Promise.all([session.put("c", 100, "relaxed"), session.put("d", 10)]);
  await session.reopen();
  await session.put("e", 100);
}

async function fillDisk(session: FeedSession, disk: SimDisk): Promise<void> {
  await session.put("a", 100);
  disk.addFault({ at: disk.nextOperation, kind: "partial-write", bytes: 70 });
  await Promise.all([session.put("b", 100, "relaxed"), session.put("c", 10)]);
  await session.put("d", 100);
}
