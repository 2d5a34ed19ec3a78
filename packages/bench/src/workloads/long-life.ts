import type { Engine } from "@kaya/engine";
import { entryKey, entryValue } from "../data.js";
import { collectGarbage } from "../memory.js";
import { isBusy, openEngine } from "../systems/kaya-engine.js";
import type { Row } from "../workload.js";

export const IN_FLIGHT = 256;
const MIB = 1 << 20;

/** The row of `residentMib`. */
export function memoryRow(workload: string, of: string): Row {
  return {
    id: `${workload}/memory`,
    title: `${of}, resident set at the end`,
    unit: "MiB",
    better: "lower",
  };
}

/** The process's memory, with its allocators' caches, after a collection, when nothing is under way. */
export async function residentMib(engine: Engine): Promise<number> {
  while (isBusy(engine)) await new Promise(setImmediate);
  await collectGarbage();
  return process.memoryUsage.rss() / MIB;
}

/** The defaults, except durability: this measures work, not waiting for the disk. */
export function openRelaxed(dataDir: string): Promise<Engine> {
  return openEngine(dataDir, { durability: "relaxed" });
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
