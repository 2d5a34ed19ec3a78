import { execFile } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { SYSTEMS } from "../systems/all.js";
import { countSyncs, type SyncCount, TRACED_CALLS } from "./strace-log.js";
import { type Way, waysOf } from "./ways.js";

const execute = promisify(execFile);
const WRITER = fileURLToPath(new URL("put-one-by-one.js", import.meta.url));

export const PUTS = 100;

/**
 * Counts the syncs of 100 durable writes of one entry, one in flight, as the kernel saw them.
 * @throws where strace cannot be run, or the system's process fails
 */
export async function checkDurable(systemName: string, way: Way, dir: string): Promise<SyncCount> {
  const dataDir = join(dir, "data");
  const log = join(dir, "strace.log");
  await mkdir(dataDir, { recursive: true });
  const writer = [process.execPath, WRITER, systemName, dataDir, `${PUTS}`, way];
  await execute("strace", ["-f", "-y", "-s", "64", "-e", `trace=${TRACED_CALLS}`, "-o", log, ...writer]);
  return countSyncs(await readFile(log, "utf8"), dataDir);
}

/** How the durable rows write to this system. */
export async function durableWays(systemName: string, dir: string): Promise<Way[]> {
  const store = await SYSTEMS.find(({ name }) => name === systemName)?.open(dir, "durable");
  if (store === undefined) throw new Error(`there is no system ${systemName}`);
  const ways = Object.keys(waysOf(store)) as Way[];
  await store.close();
  return ways;
}

export function isDurable({ acknowledged, covered }: SyncCount): boolean {
  return acknowledged === PUTS && covered === PUTS;
}

/** The systems that claim durable writes. */
export function durableSystems(names: readonly string[]): string[] {
  return SYSTEMS.filter(({ name, setup }) => setup.durable !== undefined && names.includes(name)).map(
    ({ name }) => name,
  );
}
