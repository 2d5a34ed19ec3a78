import type { PartialEngineConfig } from "@kaya/core";
import { Engine } from "@kaya/engine";
import type { Check } from "./check-run.js";
import { engineCheck } from "./engine-check.js";
import { EngineSession } from "./engine-session.js";
import { checkContents, contentsOf, type EngineWrite } from "./engine-write.js";
import { type Scenario, scenario } from "./scenario.js";

/** Whatever a crash left, a read-only opening changes nothing of it, and shows what the next opening finds. */
export function engineLookScenarios(config: PartialEngineConfig): Scenario[] {
  const checkOpening = engineCheck(config);
  const check: Check<EngineWrite> = async (disk, view, recovered) => {
    const before = disk.stateDigest("everything");
    const fork = disk.fork();
    const looker = await Engine.open({ ...config, readOnly: true }, fork);
    const seen = await contentsOf(looker);
    await looker.close();
    if (fork.stateDigest("everything") !== before) throw new Error("looking changed what is on the disk");
    const opened = await Engine.open(config, disk.fork());
    checkContents(seen, await contentsOf(opened), "as a read-only opening shows it");
    await checkOpening(disk, view, recovered);
  };
  return [
    scenario<EngineWrite>("engine: looked at before it is opened", {
      workload: async (disk, history) => {
        const session = new EngineSession(disk, history, { config });
        await session.open();
        await session.put("a", "x".repeat(300));
        await session.put("b", "x".repeat(300), "relaxed");
        await session.flush();
        await session.put("c", "x".repeat(100));
        await session.delete("a", "relaxed");
        await session.put("d", "x".repeat(400), "relaxed");
        await session.close();
      },
      check,
    }),
  ];
}
