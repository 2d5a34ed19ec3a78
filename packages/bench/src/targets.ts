import { LIMITED_RESIDENT_MIB } from "./workloads/limited.js";

/** What a figure of Kaya is held against. */
export type Reference =
  | { readonly kind: "system"; readonly system: string }
  /** The best of these systems, by its median. */
  | { readonly kind: "best"; readonly systems: readonly string[] }
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
  systems: ["classic-level", "lmdb", "better-sqlite3", "rocksdb", "rocksdb-6"],
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

/** What the project wants to reach, each line once. */
export const TARGETS: readonly Target[] = [
  { row: "durable-puts/1", atLeast: 0.9, reference: RAW },
  { row: "durable-puts/16", atLeast: 0.7, reference: RAW },
  { row: "durable-puts/256", atLeast: 0.7, reference: RAW },
  { row: "durable-puts/1024", atLeast: 0.7, reference: RAW },
  { row: "durable-puts/256", atLeast: 5, reference: BEST_PEER_ON_DISK },
  { row: "relaxed-puts/1", atLeast: 2, reference: BEST_PEER_ON_DISK },
  { row: "relaxed-puts/256", atLeast: 4, reference: BEST_PEER_ON_DISK },
  { row: "durable-batches/16", atLeast: 4, reference: BEST_PEER_ON_DISK },
  { row: "gets/sync", atLeast: 5, reference: LMDB },
  { row: "gets/async", atLeast: 2, reference: LMDB },
  // "As fast as": 0.9, because rounds of one and the same thing lie that far apart.
  { row: "gets/misses", atLeast: 0.9, reference: { kind: "row", row: "gets/sync" } },
  { row: "full-scan/pages", atLeast: 1, reference: MEMORY_LEVEL },
  { row: "full-scan/pages", atLeast: 5, reference: LMDB },
  { row: "full-scan/entries", atLeast: 2, reference: LMDB },
  { row: "full-scan/pages-reverse", atLeast: 0.9, reference: { kind: "row", row: "full-scan/pages" } },
  { row: "full-scan/entries-reverse", atLeast: 0.9, reference: { kind: "row", row: "full-scan/entries" } },
  { row: "ranges/forward", atLeast: 1, reference: MEMORY_LEVEL },
  // Three times the 0.6 M of the Rust kaya-wal, which was measured on another machine of this kind.
  { row: "recovery/records", atLeast: 1_800_000, reference: ABSOLUTE },
  { row: "recovery/records", atLeast: 0.4, reference: { kind: "row", row: "recovery/raw-chunks" } },
  // "Flat": less than the smallest log that is measured in full, 1M records in 156 MiB.
  { row: "recovery/memory", atMost: 64, reference: ABSOLUTE },
  { row: "opening/replay", atLeast: 0.8, reference: { kind: "row", row: "opening/bulk-load" } },
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
  // A store whose tables fit its cache, beside one whose memtable holds all.
  ...["gets/sync", "gets/async", "full-scan/pages", "ranges/forward"].flatMap((row): Target[] => [
    { row, atLeast: 0.7, reference: { kind: "row", row: `resident/${row.replace("/", "-")}` } },
    { row, atLeast: 1, reference: BEST_PEER_ON_DISK },
  ]),
  // Whatever the number of entries.
  { row: "reopening/first-get", atMost: 10, reference: ABSOLUTE },
  { row: "reopening-large/first-get", atMost: 10, reference: ABSOLUTE },
  { row: "after-a-kill/first-get", atMost: 500, reference: ABSOLUTE },
  { row: "after-a-kill-large/first-get", atMost: 500, reference: ABSOLUTE },
  ...LIMITED,
];
