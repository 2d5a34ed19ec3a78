import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ClusterEngine, etcdLog } from "@kaya/cluster";
import { entryValue } from "../data.js";
import { ClusterChild } from "./run-cluster-child.js";

const IN_FLIGHT = 64;
const LOOK_MS = 5;
const MOST_MS = 60_000;

/**
 * Kills a writer with the default options while it writes and another node waits. Measures the time from SIGKILL until the other node has
 * acknowledged a put.
 * @returns milliseconds, one figure for each kill
 */
export async function measureTakeover(
  dir: string,
  endpoints: readonly string[],
  kills: number,
  onProgress: (text: string) => void,
): Promise<number[]> {
  const found: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    onProgress(`takeover ${kill + 1} of ${kills}`);
    found.push(await takeOver(join(dir, `takeover-${kill}`), endpoints, kill));
  }
  return found;
}

async function takeOver(dir: string, endpoints: readonly string[], kill: number): Promise<number> {
  const prefix = `/bench-takeover-${kill}`;
  const writer = new ClusterChild({
    job: "write",
    inFlight: IN_FLIGHT,
    dataDir: join(dir, "writer"),
    endpoints,
    prefix,
  });
  try {
    await writer.report("acknowledged");
    const log = etcdLog({ endpoints, prefix });
    const standby = await ClusterEngine.open({ dataDir: join(dir, "standby"), role: "auto", log });
    try {
      // Each kill comes at another moment between two renewals of the writer's presence.
      await sleep(1000 + ((kill * 377) % 1000));
      const killed = performance.now();
      await writer.kill();
      while (!(await isAcknowledged(standby))) {
        if (performance.now() - killed > MOST_MS) throw new Error("no node took over within a minute");
        await sleep(LOOK_MS);
      }
      return performance.now() - killed;
    } finally {
      await standby.close();
    }
  } finally {
    await writer.kill();
  }
}

async function isAcknowledged(db: ClusterEngine): Promise<boolean> {
  try {
    await db.put("after", entryValue(0));
    return true;
  } catch {
    return false; // not the writer yet
  }
}
