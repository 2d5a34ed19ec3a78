import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ClusterEngine, etcdLog } from "@kaya/cluster";
import { EtcdPuts } from "@kaya/cluster/testing";
import { entryKey, entryValue } from "../data.js";
import { type Pace, paceOf } from "../measure.js";
import { type Spread, spreadOf } from "../statistics.js";
import type { PutsRow } from "./cluster-run.js";
import type { ClusterScale } from "./cluster-scale.js";
import { untilWriter } from "./until-writer.js";

const IN_FLIGHT = [1, 64, 1024];
/** 1,024 direct puts at once may take a long time. */
const PATIENCE_MS = 60_000;

interface Round {
  readonly cluster: Pace;
  readonly direct: Pace;
}

/** Measures durable puts through a node, and direct puts of each record into the same etcd. They take turns. */
export async function measurePuts(
  dir: string,
  endpoints: readonly string[],
  scale: ClusterScale,
  onProgress: (text: string) => void,
): Promise<PutsRow[]> {
  const rows: PutsRow[] = [];
  for (const inFlight of IN_FLIGHT) {
    const rounds: Round[] = [];
    for (let round = 0; round < scale.rounds; round++) {
      onProgress(`puts, ${inFlight} in flight, round ${round + 1} of ${scale.rounds}`);
      const ways = {
        cluster: () => clusterPace(join(dir, `puts-${inFlight}-${round}`), endpoints, inFlight, scale),
        direct: () => directPace(`/bench-direct-${inFlight}-${round}/`, endpoints, inFlight, scale),
      };
      const found: Partial<Record<keyof Round, Pace>> = {};
      for (const way of round % 2 === 0 ? (["cluster", "direct"] as const) : (["direct", "cluster"] as const))
        found[way] = await ways[way]();
      rounds.push(found as Round);
    }
    rows.push(rowOf(inFlight, rounds));
  }
  return rows;
}

async function clusterPace(
  dataDir: string,
  endpoints: readonly string[],
  inFlight: number,
  scale: ClusterScale,
): Promise<Pace> {
  await mkdir(dataDir, { recursive: true });
  const db = await ClusterEngine.open({
    dataDir,
    role: "auto",
    log: etcdLog({ endpoints, prefix: `/bench${dataDir}` }),
  });
  try {
    await untilWriter(db);
    let next = 0;
    return await paceOf(inFlight, scale, () => {
      const i = next++;
      return db.put(entryKey(i), entryValue(i));
    });
  } finally {
    await db.close();
  }
}

async function directPace(
  prefix: string,
  endpoints: readonly string[],
  inFlight: number,
  scale: ClusterScale,
): Promise<Pace> {
  const puts = new EtcdPuts({ endpoints, prefix, requestTimeoutMs: PATIENCE_MS });
  try {
    let next = 0;
    return await paceOf(inFlight, scale, () => {
      const i = next++;
      return puts.put(entryKey(i), entryValue(i));
    });
  } finally {
    puts.close();
  }
}

function rowOf(inFlight: number, rounds: readonly Round[]): PutsRow {
  const spread = (read: (round: Round) => number) => spreadOf(rounds.map(read)) as Spread; // one round at least
  return {
    inFlight,
    cluster: spread(({ cluster }) => cluster.perSecond),
    direct: spread(({ direct }) => direct.perSecond),
    ratio: spread(({ cluster, direct }) => cluster.perSecond / direct.perSecond),
    clusterP99: spread(({ cluster }) => cluster.p99),
    directP99: spread(({ direct }) => direct.p99),
  };
}
