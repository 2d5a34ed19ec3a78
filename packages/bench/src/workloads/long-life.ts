import { Engine } from "@kaya/engine";
import { entryKey, entryValue } from "../data.js";
import { collectGarbage } from "../memory.js";

export const IN_FLIGHT = 256;

/** What an engine takes in memory: by its own account, and all of the process. */
export interface Memory {
  readonly memoryBytes: number;
  readonly rss: number;
}

/** Everything as it is by default but for the durability: what is measured is work, not waiting for the disk. */
export function openRelaxed(dataDir: string): Promise<Engine> {
  return Engine.open({ dataDir, durability: "relaxed" });
}

/** Does `write(i)` for each i from `from` to `to` (not included), with `IN_FLIGHT` callers. */
export async function writeAll(
  from: number,
  to: number,
  write: (i: number) => Promise<unknown>,
): Promise<void> {
  let next = from;
  const caller = async () => {
    while (next < to) await write(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
}

/** Puts the entries `from` to `to` (not included), each as it is in a fresh store. */
export function putEntries(engine: Engine, from: number, to: number): Promise<void> {
  return writeAll(from, to, (i) => engine.put(entryKey(i), entryValue(i)));
}

/** Once what is garbage is gone, and nothing is under way. */
export async function memoryOf(engine: Engine): Promise<Memory> {
  while (engine.stats().checkpoint.isRunning) await new Promise(setImmediate);
  await collectGarbage();
  return { memoryBytes: engine.stats().memoryBytes, rss: process.memoryUsage.rss() };
}
