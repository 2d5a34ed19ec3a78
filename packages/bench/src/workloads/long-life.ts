import { Engine } from "@kaya/engine";
import { entryKey, entryValue } from "../data.js";
import { collectGarbage } from "../memory.js";
import type { Job, Row } from "../workload.js";

export const IN_FLIGHT = 256;

/** What an engine takes in memory. */
interface Memory {
  /** By its own account. */
  readonly memoryBytes: number;
  /** All that the process holds: objects and buffers. */
  readonly held: number;
  /** With what its allocators keep for what comes next. */
  readonly rss: number;
}

/** Rows of memory at the end of a life. */
export function memoryRows(workload: string, of: string): Row[] {
  const row = (figure: string, what: string): Row => ({
    id: `${workload}/${figure}`,
    title: `${of}, ${what}`,
    unit: "of freshly loaded",
    better: "lower",
  });
  return [
    row("memory", "memory at the end"),
    row("held", "objects and buffers of the process"),
    row("rss", "resident set of the process"),
  ];
}

export function reportMemory(workload: string, fresh: Memory, end: Memory, { report }: Job): void {
  report(`${workload}/memory`, end.memoryBytes / fresh.memoryBytes);
  report(`${workload}/held`, end.held / fresh.held);
  report(`${workload}/rss`, end.rss / fresh.rss);
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
  const { heapUsed, external, rss } = process.memoryUsage();
  return { memoryBytes: engine.stats().memoryBytes, held: heapUsed + external, rss };
}
