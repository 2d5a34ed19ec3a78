import { FULL } from "./scale.js";
import { fullScan } from "./workloads/full-scan.js";
import { gets } from "./workloads/gets.js";
import { LIMITED_RESIDENT_MIB } from "./workloads/limited.js";
import { ranges } from "./workloads/ranges.js";
import { transactions, updates } from "./workloads/transactions.js";
import { tupleScans } from "./workloads/tuple-scans.js";
import { typedGets } from "./workloads/typed-gets.js";
import { typedPuts } from "./workloads/typed-puts.js";
import { p99Of } from "./workloads/writes.js";

/** The reference of a figure of Kaya. */
export type Reference =
  | { readonly kind: "system"; readonly system: string }
  /** The best of these systems, by its median. Without `row` in the same row. */
  | { readonly kind: "best"; readonly systems: readonly string[]; readonly row?: string }
  /** Another figure of Kaya. */
  | { readonly kind: "row"; readonly row: string }
  /** The figure itself, in the row's unit. */
  | { readonly kind: "absolute" };

export interface Target {
  readonly row: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly reference: Reference;
}

const RAW: Reference = { kind: "system", system: "raw loop" };
const LMDB: Reference = { kind: "system", system: "lmdb" };
const MEMORY_LEVEL: Reference = { kind: "system", system: "memory-level" };
const BEST_PEER_ON_DISK: Reference = {
  kind: "best",
  systems: ["classic-level", "lmdb", "better-sqlite3", "node-sqlite", "rocksdb", "rocksdb-6"],
};
const ABSOLUTE: Reference = { kind: "absolute" };

/** With the default configuration: 64 MiB of memtables, 64 MiB of cache, and 64 MiB for the rest of the process. */
const DEFAULT_RESIDENT_MIB = 192;

/** More data than memory: loading reaches 0.7 of the best peer, all else reaches the best; memory stays within the configuration. */
const LIMITED: readonly Target[] = ["limited", "limited-large"].flatMap((workload): Target[] => [
  { row: `${workload}/load`, atLeast: 0.7, reference: BEST_PEER_ON_DISK },
  { row: `${workload}/load-memory`, atMost: LIMITED_RESIDENT_MIB, reference: ABSOLUTE },
  { row: `${workload}/open`, atMost: 25, reference: ABSOLUTE },
  ...["gets", "hot-gets", "ranges", "scan"].map(
    (figure): Target => ({ row: `${workload}/${figure}`, atLeast: 1, reference: BEST_PEER_ON_DISK }),
  ),
  { row: `${workload}/memory`, atMost: LIMITED_RESIDENT_MIB, reference: ABSOLUTE },
]);

/** Writes beside the raw loop, the best peer, and the best peer whose puts are coalesced by hand. */
const WRITES: readonly Target[] = [
  { row: "durable-puts/1", atLeast: 1.25, reference: BEST_PEER_ON_DISK },
  ...[
    { inFlight: 16, ofRaw: 0.8, ofPeer: 2 },
    { inFlight: 256, ofRaw: 0.7, ofPeer: 5 },
    { inFlight: 1024, ofRaw: 0.5, ofPeer: 5 },
  ].flatMap(({ inFlight, ofRaw, ofPeer }): Target[] => [
    { row: `durable-puts/${inFlight}`, atLeast: ofRaw, reference: RAW },
    { row: `durable-puts/${inFlight}`, atLeast: ofPeer, reference: BEST_PEER_ON_DISK },
    {
      row: `durable-puts/${inFlight}`,
      atLeast: 2,
      reference: { ...BEST_PEER_ON_DISK, row: `coalesced-puts/${inFlight}` },
    },
  ]),
  { row: "put-cpu/1024", atMost: 2, reference: ABSOLUTE },
  { row: "relaxed-puts/1", atLeast: 2, reference: BEST_PEER_ON_DISK },
  { row: "relaxed-puts/256", atLeast: 4, reference: BEST_PEER_ON_DISK },
  ...["durable-batches/1", "durable-batches/16", "relaxed-batches/1", "relaxed-batches/16"].map(
    (row): Target => ({ row, atLeast: 2, reference: BEST_PEER_ON_DISK }),
  ),
  ...["1KiB", "16KiB", "256KiB"].map(
    (size): Target => ({ row: `durable-values/${size}`, atLeast: 1, reference: BEST_PEER_ON_DISK }),
  ),
];

/** No caller waits longer than with the best peer. */
const WAITS: readonly Target[] = [...new Set(WRITES.map(({ row }) => row))]
  .filter((row) => !row.startsWith("put-cpu/"))
  .map((row) => ({ row: p99Of(row), atMost: 1, reference: BEST_PEER_ON_DISK }));

/** Reads of a store that fits its cache. */
const READS: readonly Target[] = [
  ...[...gets.rows, ...ranges.rows, ...fullScan.rows].map(
    ({ id }): Target => ({ row: id, atLeast: 2, reference: LMDB }),
  ),
  { row: "full-scan/pages", atLeast: 1, reference: MEMORY_LEVEL },
  { row: "full-scan/pages-reverse", atLeast: 1, reference: MEMORY_LEVEL },
  { row: "ycsb-a/async", atLeast: 2, reference: BEST_PEER_ON_DISK },
  { row: "ycsb-a/sync", atLeast: 2, reference: BEST_PEER_ON_DISK },
  // Beside a store whose memtable holds all.
  ...["gets/sync", "gets/async", "full-scan/pages", "ranges/forward"].map(
    (row): Target => ({
      row,
      atLeast: 0.7,
      reference: { kind: "row", row: `resident/${row.replace("/", "-")}` },
    }),
  ),
];

/** Typed values and transactions, against the best of the peers that have them. */
const TYPES_AND_TRANSACTIONS: readonly Target[] = [
  ...[typedPuts, typedGets, tupleScans, transactions, updates]
    .flatMap((workload) => workload.rows(FULL))
    .filter(({ measuredWith }) => measuredWith === undefined)
    .map(({ id }): Target => ({ row: id, atLeast: 1, reference: BEST_PEER_ON_DISK })),
  // Expiring entries are read nearly as fast as others: a get reads the clock.
  ...["gets", "scan"].map(
    (figure): Target => ({
      row: `expiry/${figure}-ttl`,
      atLeast: 0.8,
      reference: { kind: "row", row: `expiry/${figure}` },
    }),
  ),
];

/** Whatever the number of entries. */
const OPENINGS: readonly Target[] = [
  { row: "reopening/first-get", atMost: 10, reference: ABSOLUTE },
  { row: "reopening-large/first-get", atMost: 10, reference: ABSOLUTE },
  { row: "after-a-kill/first-get", atMost: 500, reference: ABSOLUTE },
  { row: "after-a-kill-large/first-get", atMost: 500, reference: ABSOLUTE },
  // Three times the 0.6 M of the Rust kaya-wal, which was measured on another machine of this kind.
  { row: "recovery/records", atLeast: 1_800_000, reference: ABSOLUTE },
  { row: "recovery/records", atLeast: 0.4, reference: { kind: "row", row: "recovery/raw-chunks" } },
  // "Flat": less than the smallest log that is measured in full, 1M records in 156 MiB.
  { row: "recovery/memory", atMost: 64, reference: ABSOLUTE },
  { row: "opening/replay", atLeast: 0.8, reference: { kind: "row", row: "opening/bulk-load" } },
];

/** Growth, flushes and compactions over a longer life. */
const LONG_LIFE: readonly Target[] = [
  { row: "growth/1M-rss", atMost: 250, reference: ABSOLUTE },
  // "Flat": no object an entry.
  { row: "growth/1M-heap", atMost: 8, reference: ABSOLUTE },
  { row: "growth/5M-load-pause", atMost: 10, reference: ABSOLUTE },
  { row: "growth/5M-scan-pause", atMost: 20, reference: ABSOLUTE },
  { row: "growth/5M-inserts", atLeast: 1 / 1.3, reference: { kind: "row", row: "growth/1M-inserts" } },
  { row: "growth/5M-gets", atLeast: 1 / 1.5, reference: { kind: "row", row: "growth/1M-gets" } },
  // That they load at all: a store that stops before has no figure here.
  { row: "growth/20M-inserts", atLeast: 1, reference: ABSOLUTE },
  { row: "flushing/p99-with", atMost: 2, reference: { kind: "row", row: "flushing/p99-without" } },
  { row: "flushing/pause-with", atMost: 10, reference: ABSOLUTE },
  { row: "rewriting/10M-disk", atMost: 1.3, reference: ABSOLUTE },
  {
    row: "overwrites/last-tenth",
    atMost: 1.2,
    reference: { kind: "row", row: "overwrites/first-tenth" },
  },
  { row: "overwrites/disk", atMost: 1, reference: ABSOLUTE },
  { row: "overwrites/memory", atMost: DEFAULT_RESIDENT_MIB, reference: ABSOLUTE },
  { row: "waves/memory", atMost: DEFAULT_RESIDENT_MIB, reference: ABSOLUTE },
];

/** What the project wants to reach, each line once. */
export const TARGETS: readonly Target[] = [
  ...WRITES,
  ...WAITS,
  ...READS,
  ...TYPES_AND_TRANSACTIONS,
  ...OPENINGS,
  ...LONG_LIFE,
  ...LIMITED,
];
