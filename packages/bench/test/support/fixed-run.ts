import type { Run, Sample } from "../../src/run.js";

const samplesOf = (row: string, system: string, values: readonly number[]): Sample[] =>
  values.map((value, i) => ({ row, system, round: i + 1, value }));

/** A small run with figures that were made up. */
export const FIXED_RUN: Run = {
  machine: {
    date: "2026-01-02",
    commit: "abc1234",
    node: "v20.19.0",
    system: "linux 6.1 x64",
    cpu: "2 x A<B & C",
    memoryGiB: 8,
    fileSystem: "ext4",
  },
  mode: "quick",
  rounds: 3,
  entries: 1000,
  rows: [
    { id: "durable-puts/256", title: "durable puts, 256 in flight", unit: "puts/s", better: "higher" },
    {
      id: "durable-puts/256-p99",
      title: "durable puts, 256 in flight, 99th percentile",
      unit: "ms",
      better: "lower",
      measuredWith: "durable-puts/256",
    },
    { id: "reopening/first-get", title: "open, and get one entry", unit: "ms", better: "lower" },
    { id: "growth/1M-rss", title: "memory, all in", unit: "bytes/entry", better: "lower" },
  ],
  systems: [
    { name: "kaya", version: "this commit", durable: 'durability: "strict"', relaxed: "a | b" },
    { name: "raw loop", version: "this commit", durable: "write, sync", relaxed: "write" },
    { name: "lmdb", version: "3.5.6", durable: "its defaults", relaxed: "noSync: true" },
    { name: "rocksdb", version: "12", durable: "sync: true", relaxed: "sync: false" },
    { name: "memory-level", version: "3.1.0", relaxed: "memory" },
  ],
  samples: [
    ...samplesOf("durable-puts/256", "kaya", [70_000, 80_000, 75_000]),
    ...samplesOf("durable-puts/256", "raw loop", [100_000, 100_000, 100_000]),
    ...samplesOf("durable-puts/256", "lmdb", [25_000, 25_000, 25_000]),
    ...samplesOf("durable-puts/256", "rocksdb", [10_000, 10_000, 20_000]),
    ...samplesOf("durable-puts/256", "memory-level", [90_000]),
    ...samplesOf("durable-puts/256-p99", "kaya", [3, 4, 5]),
    ...samplesOf("durable-puts/256-p99", "lmdb", [8, 8, 8]),
    ...samplesOf("durable-puts/256-p99", "rocksdb", [40, 40, 40]),
    ...samplesOf("reopening/first-get", "kaya", [900]),
    ...samplesOf("reopening/first-get", "lmdb", [1.5]),
  ],
  failures: [
    { workload: "growth", system: "kaya", round: 1, message: "out of memory\n  at x", isMissing: false },
    { workload: "durable-puts", system: "node-sqlite", message: "no such module\n  at x", isMissing: true },
    { workload: "limited", system: "all systems", message: "not root", isMissing: true },
  ],
};
