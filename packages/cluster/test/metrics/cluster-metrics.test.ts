import { Engine } from "@kaya/engine";
import { type MetricSource, prometheusText } from "@kaya/engine/prometheus";
import { SimDisk } from "@kaya/io";
import { expect, test } from "vitest";
import { CLUSTER_METRICS } from "../../src/metrics/cluster-metrics.js";
import type { ClusterStats } from "../../src/stats.js";

const NONE = { mean: 0, p50: 0, p99: 0, max: 0, buckets: [] };

/** The statistics of a writer. All numbers differ, so that the test notices an exchange of two metrics. */
const STATS: ClusterStats = {
  nodeId: "node-1",
  role: "writer",
  epoch: 3,
  leader: "http://node-1:80",
  lsn: 40,
  headLsn: 45,
  lagRecords: 5,
  lagMs: 1500,
  contactAgeMs: 250,
  appends: { count: 2, bytes: 700, durationMs: { ...NONE, mean: 3, max: 4, buckets: [[4.096, 2]] } },
  doubts: 6,
  rejections: { fenced: 11, inDoubt: 12, noMajority: 13, diskFull: 14, other: 15 },
  claims: 8,
  takeovers: 7,
  tail: { bytes: 9000, limitBytes: 10_000 },
  base: { lsn: 20 },
  bases: 16,
  trims: 17,
  baseLoads: 18,
  linearizableReads: { count: 19, durationMs: NONE },
  troubles: 21,
  lastTrouble: undefined,
};

/** The samples of a node with these statistics, without the label of the node. */
async function samples(cluster: ClusterStats): Promise<string[]> {
  const engine = await Engine.open({}, new SimDisk());
  const stats = { ...engine.stats(), cluster };
  await engine.close();
  const source: MetricSource = { dataDir: "/n", stats: () => stats, metrics: CLUSTER_METRICS };
  return prometheusText({ n: source })
    .split("\n")
    .filter((line) => line.startsWith("kaya_cluster_"))
    .map((line) => line.replace('store="n",', "").replace('{store="n"}', ""));
}

test("a node shows its statistics", async () => {
  const found = await samples(STATS);
  expect(found.filter((line) => !line.includes("_bucket"))).toEqual([
    'kaya_cluster_role{role="writer"} 1',
    'kaya_cluster_role{role="follower"} 0',
    'kaya_cluster_role{role="claiming"} 0',
    'kaya_cluster_role{role="failed"} 0',
    "kaya_cluster_epoch 3",
    "kaya_cluster_head_lsn 45",
    "kaya_cluster_lsn 40",
    "kaya_cluster_lag_records 5",
    "kaya_cluster_lag_seconds 1.5",
    "kaya_cluster_contact_age_seconds 0.25",
    "kaya_cluster_append_duration_seconds_sum 0.006",
    "kaya_cluster_append_duration_seconds_count 2",
    "kaya_cluster_appended_bytes_total 700",
    "kaya_cluster_append_doubts_total 6",
    'kaya_cluster_append_refusals_total{reason="fenced"} 11',
    'kaya_cluster_append_refusals_total{reason="in_doubt"} 12',
    'kaya_cluster_append_refusals_total{reason="no_majority"} 13',
    'kaya_cluster_append_refusals_total{reason="disk_full"} 14',
    'kaya_cluster_append_refusals_total{reason="other"} 15',
    "kaya_cluster_claims_total 8",
    "kaya_cluster_takeovers_total 7",
    "kaya_cluster_tail_bytes 9000",
    "kaya_cluster_tail_limit_bytes 10000",
    "kaya_cluster_base_lsn 20",
    'kaya_cluster_bases_total{action="made"} 16',
    'kaya_cluster_bases_total{action="loaded"} 18',
    "kaya_cluster_trims_total 17",
    "kaya_cluster_linearizable_reads_total 19",
    "kaya_cluster_troubles_total 21",
  ]);
  expect(found).toContain('kaya_cluster_append_duration_seconds_bucket{le="0.004096"} 2');
  expect(found).toContain('kaya_cluster_append_duration_seconds_bucket{le="0.002048"} 0');
});

test("a follower shows no tail, and no value that it does not know", async () => {
  const { base: _, contactAgeMs: __, ...known } = STATS;
  const found = await samples({ ...known, role: "follower", base: undefined, contactAgeMs: undefined });
  for (const name of ["tail_bytes", "base_lsn", "contact_age"])
    expect(found.filter((line) => line.startsWith(`kaya_cluster_${name}`))).toEqual([]);
  expect(found).toContain('kaya_cluster_role{role="follower"} 1');
});
