import type { PartialEngineConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { isGranted } from "./answers.js";
import { engineCheck } from "./engine-check.js";
import { EngineSession } from "./engine-session.js";
import type { EngineWrite } from "./engine-write.js";
import { STILL } from "./open-engine.js";
import { type Scenario, scenario } from "./scenario.js";
import { mustBeMet } from "./unmet-fault.js";

/** Operations of an engine by name, beside its log. Each notices that the directory is another one. */
const NOTICING: readonly (readonly [what: string, run: (session: EngineSession) => Promise<unknown>])[] = [
  ["a flush", (session) => session.flush()],
  ["a new consumer", ({ engine }) => isGranted(engine.addConsumer("second"))],
  ["a consumer that leaves", ({ engine }) => isGranted(engine.removeConsumer("first"))],
];

/** Operations of a flush's rotation; its table comes behind them. */
const ROTATION = 5;

/** An engine whose directory is moved away, and another one put in its place, while it is open. */
export function engineDirectoryScenarios(config: PartialEngineConfig): Scenario[] {
  const still = { ...config, tables: STILL };
  const lives: readonly (readonly [name: string, live: Live])[] = [
    ...NOTICING.map(
      ([what, run]) =>
        [`${what} notices`, (session: EngineSession, disk: SimDisk) => notice(session, disk, run)] as const,
    ),
    ["a flush notices behind its rotation", noticeBehindRotation],
  ];
  return lives.map(([name, live]) =>
    scenario<EngineWrite>(`engine: another directory has the name, and ${name}`, {
      workload: async (disk, history) => {
        const session = new EngineSession(disk, history, { config: still });
        await session.open();
        await session.put("a");
        await session.flush(); // the first one notes in the manifest, which is open, of which log the tables are
        await session.engine.addConsumer("first");
        await session.put("b", "of b", "relaxed");
        await live(session, disk);
        await session.put("c");
        await session.put("d", "of d", "relaxed");
        mustHaveFailed(session);
        await session.close();
        session.kill();
        await session.open(); // as under its new name
        await session.put("after", "x".repeat(300));
      },
      check: engineCheck(config),
    }),
  );
}

type Live = (session: EngineSession, disk: SimDisk) => Promise<void>;

async function notice(
  session: EngineSession,
  disk: SimDisk,
  run: (session: EngineSession) => Promise<unknown>,
): Promise<void> {
  disk.replaceDirectory();
  await session.put("in the segment that is open"); // it is still the one that was opened
  const before = disk.stateDigest("everything");
  await run(session);
  if (disk.stateDigest("everything") !== before)
    throw new Error("the directory is another one, and something was written all the same (W4)");
}

async function noticeBehindRotation(session: EngineSession, disk: SimDisk): Promise<void> {
  const at = disk.nextOperation + ROTATION;
  disk.addFault({ at, kind: "directory-replaced" });
  await session.flush();
  mustBeMet(disk, at, "operation of a flush's table");
}

function mustHaveFailed({ engine }: EngineSession): void {
  const code = engine.failure?.code;
  if (code === "KAYA_DIRECTORY_REPLACED") return;
  throw new Error(`the directory is another one, and the engine says ${code ?? "nothing"} (W4)`);
}
