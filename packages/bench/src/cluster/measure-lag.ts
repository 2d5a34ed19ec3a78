import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ClusterEngine, etcdLog } from "@kaya/cluster";
import { percentile } from "../latencies.js";
import type { LagFigures } from "./cluster-run.js";
import { ClusterChild } from "./run-cluster-child.js";
import { STAMP } from "./stamp.js";

const IN_FLIGHT = 1024;
const SAMPLE_MS = 50;

/** Measures a follower in this process, while a writer in another process writes at full speed. Both use the same clock. */
export async function measureLag(
  dir: string,
  endpoints: readonly string[],
  ms: number,
  onProgress: (text: string) => void,
): Promise<LagFigures> {
  onProgress("a follower's lag");
  const prefix = "/bench-lag";
  const order = { job: "stamp", inFlight: IN_FLIGHT, ms, endpoints, prefix } as const;
  const writer = new ClusterChild({ ...order, dataDir: join(dir, "lag-writer") });
  await writer.report("acknowledged"); // a follower needs a log that has begun
  const log = etcdLog({ endpoints, prefix });
  const follower = await ClusterEngine.open({ dataDir: join(dir, "lag-follower"), role: "follower", log });
  try {
    const visible: number[] = [];
    const records: number[] = [];
    const over = new AbortController();
    const watching = collectVisible(follower, visible, over.signal);
    const sampling = sampleRecords(follower, records, over.signal);
    const { puts, ms: took, p50, p99 } = await writer.report("stamped");
    over.abort();
    await Promise.all([watching, sampling, writer.ended()]);
    return {
      putsPerSecond: puts / (took / 1000),
      visibleMs: both(visible),
      acknowledgedMs: { p50, p99 },
      records: both(records),
    };
  } finally {
    await writer.kill();
    await follower.close();
  }
}

async function collectVisible(db: ClusterEngine, visible: number[], signal: AbortSignal): Promise<void> {
  try {
    for await (const { value } of db.watch(STAMP, { signal }))
      if (value !== undefined) visible.push(Date.now() - Number(Buffer.from(value).toString()));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function sampleRecords(db: ClusterEngine, records: number[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    records.push(db.stats().cluster.lagRecords);
    await sleep(SAMPLE_MS);
  }
}

function both(values: readonly number[]): { p50: number; p99: number } {
  return { p50: percentile(values, 0.5), p99: percentile(values, 0.99) };
}
