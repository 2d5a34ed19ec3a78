import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { load } from "../load.js";
import type { Scale } from "../scale.js";
import type { System } from "../system.js";
import type { Fixture } from "../workload.js";

const WRITER = fileURLToPath(new URL("../write-and-die.js", import.meta.url));
/** At most so many entries are written behind the last close before the kill: about 33 MB of a log. */
const TAIL_ENTRIES = 200_000;
const TAIL_SHARE = 0.2;

/** A store of so many entries that was closed. */
export function closedStore(name: string, entriesOf: (scale: Scale) => number): Fixture {
  return {
    name,
    async fill({ system, scale, fixtureDir }) {
      if (!system.onDisk) return; // its reader fills it
      const store = await system.open(fixtureDir, "relaxed");
      await load(store, 0, entriesOf(scale));
      await store.close();
    },
  };
}

/** The same, then opened again, and its process killed once `tailOf` further entries were acknowledged. */
export function killedStore(name: string, entriesOf: (scale: Scale) => number): Fixture {
  const closed = closedStore(name, entriesOf);
  return {
    name,
    async fill(job) {
      await closed.fill(job);
      const entries = entriesOf(job.scale);
      await writeAndDie(job.system, job.fixtureDir, entries, entries + tailOf(entries));
    },
  };
}

export function tailOf(entries: number): number {
  return Math.min(TAIL_ENTRIES, Math.ceil(entries * TAIL_SHARE));
}

async function writeAndDie(system: System, dir: string, from: number, to: number): Promise<void> {
  const writer = spawn(process.execPath, [WRITER, system.name, dir, `${from}`, `${to}`], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const [code, signal] = await once(writer, "exit");
  if (signal !== "SIGKILL") throw new Error(`the process that was to be killed ended with exit code ${code}`);
}
