import type { PartialEngineConfig } from "@kaya/core";
import { Engine } from "@kaya/engine";
import type { SimDisk } from "@kaya/io";
import type { Check } from "./check-run.js";
import { engineCheck } from "./engine-check.js";
import { long, mustBeDone } from "./engine-lives.js";
import { checkReads, keysOf } from "./engine-reads.js";
import { EngineSession } from "./engine-session.js";
import { checkContents, contentsAfter, contentsOf, type EngineWrite } from "./engine-write.js";
import { openEngine, TINY } from "./open-engine.js";
import { type Scenario, scenario } from "./scenario.js";

/** What @kaya/engine promises those who only look. */
export function engineLookScenarios(base: PartialEngineConfig): Scenario[] {
  const config = { ...base, tables: TINY };
  return [
    scenario<EngineWrite>("engine: looked at before it is opened", {
      workload: async (disk, history) => {
        const session = new EngineSession(disk, history, { config });
        await session.open();
        await flushAndWrite(session);
      },
      check: checkLook(config),
    }),
    scenario<EngineWrite>("engine: looked at beside a writer that flushes and compacts", {
      workload: async (disk, history) => {
        const session = new EngineSession(disk, history, { config });
        await session.open();
        await lookBeside(session, disk, config);
      },
      check: engineCheck(config),
    }),
  ];
}

/** In every crash state a read-only opening changes nothing, and shows what the next opening finds. */
function checkLook(config: PartialEngineConfig): Check<EngineWrite> {
  const checkOpening = engineCheck(config);
  return async (disk, view, recovered) => {
    const before = disk.stateDigest("everything");
    const fork = disk.fork();
    const looker = await openEngine({ ...config, readOnly: true }, fork);
    const seen = await contentsOf(looker);
    await looker.close();
    if (fork.stateDigest("everything") !== before) throw new Error("looking changed what is on the disk");
    const opened = await openEngine(config, disk.fork());
    checkContents(seen, await contentsOf(opened), "as a read-only opening shows it");
    await checkOpening(disk, view, recovered);
  };
}

async function flushAndWrite(session: EngineSession): Promise<void> {
  await session.put("a", long(300));
  await session.put("b", long(300), "relaxed");
  await session.flush();
  await session.put("c", long(100));
  await session.delete("a", "relaxed");
  await session.compact();
  await session.put("d", long(400), "relaxed");
  await session.close();
}

/** Each look begins a few operations of the writer later, and stays open while the writer goes on. */
async function lookBeside(session: EngineSession, disk: SimDisk, config: PartialEngineConfig): Promise<void> {
  for (let round = 0; round < 6; round++) {
    await session.put(`a${round % 3}`, long(100 + round));
    await session.put("same", `${round}`, "relaxed");
    if (round % 3 === 2) await session.clear("a1", "relaxed");
    const end = disk.nextOperation + 3 * round;
    const running = round % 2 === 0 ? session.flush() : session.compact();
    while (disk.nextOperation < end && session.engine.stats().flush.isRunning)
      await new Promise(setImmediate);
    const look = await Look.begin(session, disk, config);
    await session.put("beside", `${round}`);
    await mustBeDone(running, "what runs beside a look");
    await look.mustShow("while the writer went on");
    await session.compact();
    await look.mustShow("with its files removed");
    await look.end();
  }
}

/** A read-only engine beside the writer. */
class Look {
  readonly #engine: Engine;
  readonly #writes: readonly EngineWrite[];

  private constructor(engine: Engine, writes: readonly EngineWrite[]) {
    this.#engine = engine;
    this.#writes = writes;
  }

  /** It shows all that was durable before it began, and nothing that was not written when it was done. */
  static async begin(session: EngineSession, disk: SimDisk, config: PartialEngineConfig): Promise<Look> {
    const { durableLsn } = session.engine.stats();
    const engine = await Engine.open({ ...config, readOnly: true }, disk.session());
    const { lastLsn } = engine.stats();
    if (lastLsn < durableLsn || lastLsn > session.log.length)
      throw new Error(
        `a look has LSN ${lastLsn}; durable was ${durableLsn}, and written ${session.log.length}`,
      );
    const look = new Look(engine, session.log.slice(0, lastLsn));
    await look.mustShow("at once");
    return look;
  }

  async mustShow(when: string): Promise<void> {
    await checkReads(this.#engine, contentsAfter(this.#writes), keysOf(this.#writes), `looked at, ${when}`);
  }

  end(): Promise<void> {
    return this.#engine.close();
  }
}
