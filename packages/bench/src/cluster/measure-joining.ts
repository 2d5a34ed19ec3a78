import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ClusterEngine, directoryBlobStore, etcdLog } from "@kaya/cluster";
import { entriesOf } from "../load.js";
import type { JoinRow } from "./cluster-run.js";
import { ClusterChild } from "./run-cluster-child.js";
import { untilWriter } from "./until-writer.js";

const BATCH_ENTRIES = 1000;
/** Small enough that also the smaller stores get a base. */
const TAIL_MAX_BYTES = 16 << 20;
const LOOK_MS = 50;

/** Fills a store. Then a node with an empty directory joins, in a process of its own. */
export async function measureJoining(
  dir: string,
  endpoints: readonly string[],
  sizes: readonly number[],
  onProgress: (text: string) => void,
): Promise<JoinRow[]> {
  const rows: JoinRow[] = [];
  for (const entries of sizes) {
    onProgress(`a late node, ${entries.toLocaleString("en-US")} entries`);
    rows.push(await joinOf(join(dir, `join-${entries}`), endpoints, entries));
  }
  return rows;
}

async function joinOf(dir: string, endpoints: readonly string[], entries: number): Promise<JoinRow> {
  const prefix = `/bench-join-${entries}`;
  const blobs = join(dir, "blobs");
  const writer = await ClusterEngine.open({
    dataDir: join(dir, "writer"),
    role: "auto",
    log: etcdLog({ endpoints, prefix }),
    blobStore: directoryBlobStore(blobs),
    tailMaxBytes: TAIL_MAX_BYTES,
  });
  try {
    await untilWriter(writer);
    await fill(writer, entries);
    const child = new ClusterChild({ job: "join", dataDir: join(dir, "late"), endpoints, prefix, blobs });
    const { ms, peakMiB, baseLoads } = await child.report("joined");
    await child.ended();
    return {
      entries,
      from: baseLoads > 0 ? "base and tail" : "tail",
      ms,
      entriesPerSecond: entries / (ms / 1000),
      peakMiB,
    };
  } finally {
    await writer.close();
  }
}

async function fill(writer: ClusterEngine, entries: number): Promise<void> {
  for (let from = 0; from < entries; from += BATCH_ENTRIES) {
    const batch = entriesOf(from, Math.min(from + BATCH_ENTRIES, entries));
    const operations = batch.map(({ key, value }) => ({ type: "put" as const, key, value }));
    for (;;) {
      try {
        await writer.batch(operations);
        break;
      } catch (error) {
        // The tail is at its bound until the next base is made.
        if ((error as { code?: unknown }).code !== "KAYA_DISK_FULL") throw error;
        await sleep(LOOK_MS);
      }
    }
  }
}
