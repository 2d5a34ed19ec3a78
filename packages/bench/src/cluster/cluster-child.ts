import { ClusterEngine, directoryBlobStore, etcdLog } from "@kaya/cluster";
import { entryKey, entryValue } from "../data.js";
import { percentile } from "../latencies.js";
import { STAMP } from "./stamp.js";
import { untilWriter } from "./until-writer.js";

/** The task of a process with a node. */
export type ChildOrder = {
  readonly dataDir: string;
  readonly endpoints: readonly string[];
  readonly prefix: string;
  readonly blobs?: string;
} & (
  | { readonly job: "write"; readonly inFlight: number }
  | { readonly job: "stamp"; readonly inFlight: number; readonly ms: number }
  | { readonly job: "join" }
);

/** A message to the parent process. */
export type ChildReport =
  | { readonly type: "acknowledged" }
  | {
      readonly type: "stamped";
      readonly puts: number;
      readonly ms: number;
      readonly p50: number;
      readonly p99: number;
    }
  | { readonly type: "joined"; readonly ms: number; readonly peakMiB: number; readonly baseLoads: number };

const order = JSON.parse(process.argv[2] ?? "") as ChildOrder;
const started = performance.now();
const db = await ClusterEngine.open({
  dataDir: order.dataDir,
  role: order.job === "join" ? "follower" : "auto",
  log: etcdLog({ endpoints: order.endpoints, prefix: order.prefix }),
  ...(order.blobs !== undefined && { blobStore: directoryBlobStore(order.blobs) }),
});

function tell(report: ChildReport): Promise<void> {
  return new Promise((resolve) => process.send?.(report, () => resolve()));
}

switch (order.job) {
  case "write":
    await untilWriter(db);
    await writeForever(order.inFlight);
    break;
  case "stamp":
    await untilWriter(db);
    await tell(await stamp(order.inFlight, order.ms));
    break;
  case "join":
    await db.catchUp();
    await tell({
      type: "joined",
      ms: performance.now() - started,
      peakMiB: process.resourceUsage().maxRSS / 1024,
      baseLoads: db.stats().cluster.baseLoads,
    });
    break;
}
await db.close();
process.disconnect();

/** Writes until the process is killed. It reports the first write of each caller. */
async function writeForever(inFlight: number): Promise<void> {
  let next = 0;
  const caller = async () => {
    for (let n = 0; ; n++) {
      const i = next++;
      await db.put(entryKey(i), entryValue(i));
      if (n === 0) await tell({ type: "acknowledged" });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
}

/** Puts at full speed. One caller puts the current time again and again. */
async function stamp(inFlight: number, ms: number): Promise<ChildReport> {
  await db.put(STAMP, String(Date.now()));
  await tell({ type: "acknowledged" });
  const begun = performance.now();
  const end = begun + ms;
  const latencies: number[] = [];
  let next = 0;
  const stamper = async () => {
    while (performance.now() < end) {
      const called = performance.now();
      await db.put(STAMP, String(Date.now()));
      latencies.push(performance.now() - called);
    }
  };
  const caller = async () => {
    while (performance.now() < end) {
      const i = next++;
      await db.put(entryKey(i), entryValue(i));
    }
  };
  await Promise.all([stamper(), ...Array.from({ length: inFlight - 1 }, caller)]);
  return {
    type: "stamped",
    puts: next + latencies.length,
    ms: performance.now() - begun,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  };
}
