/** How much is measured. */
export interface Scale {
  readonly mode: "quick" | "full" | "large";
  readonly rounds: number;
  /** More or fewer rounds for workloads by name: where rounds lie far apart. */
  readonly roundsOf: Readonly<Record<string, number>>;
  readonly warmUpMs: number;
  /** Of each rate: what is counted is what was done in this time. */
  readonly measureMs: number;
  readonly durableInFlight: readonly number[];
  /** Of the store that is read: gets, scans, ranges, reopening; and records of the log that is recovered. */
  readonly entries: number;
  /** Entries at which a growing store is looked at. */
  readonly growth: readonly number[];
  /** Entries of a second, larger store that is opened. Absent: none is. */
  readonly largeOpening?: number;
  /** Stores in a memory cgroup. */
  readonly limited: readonly LimitedScale[];
  /** Puts over the same keys. */
  readonly overwrites: number;
  /** Inserts, all of which are deleted again. */
  readonly waves: number;
  /** Workloads that are left out unless `--only` names them. */
  readonly leaveOut: readonly string[];
}

/** More data than memory. */
export interface LimitedScale {
  readonly entries: number;
  /** Of the memory cgroup. */
  readonly memoryBytes: number;
  /** A system that has not loaded all entries by then is given up. */
  readonly deadlineMs: number;
  /** In place of the mode's: a cold store is slow, and its caches fill slowly. */
  readonly warmUpMs: number;
  readonly measureMs: number;
}

const MILLION = 1_000_000;
const MIB = 1 << 20;

const IN_192_MIB: LimitedScale = {
  entries: 3 * MILLION,
  memoryBytes: 192 * MIB,
  deadlineMs: 240_000,
  warmUpMs: 1000,
  measureMs: 5000,
};
const IN_1_GIB: LimitedScale = {
  ...IN_192_MIB,
  entries: 30 * MILLION,
  memoryBytes: 1024 * MIB,
  deadlineMs: 2_400_000,
};

/** What takes minutes, and only concerns Kaya or a machine with little memory. */
const LONG = ["resident", "opening", "limited", "growth", "flushing", "rewriting", "overwrites", "waves"];

/** About a minute. */
export const QUICK: Scale = {
  mode: "quick",
  rounds: 3,
  roundsOf: {},
  warmUpMs: 60,
  measureMs: 180,
  durableInFlight: [1, 256, 1024],
  entries: 100_000,
  limited: [IN_192_MIB],
  growth: [100_000, 500_000],
  overwrites: 200_000,
  waves: 100_000,
  leaveOut: [
    ...LONG,
    "coalesced-puts",
    "synchronous-puts",
    "put-cpu",
    "relaxed-puts",
    "durable-batches",
    "relaxed-batches",
    "durable-values",
    "ranges",
    "ycsb-a",
    "typed-puts",
    "typed-gets",
    "tuple-scans",
    "transactions",
    "updates",
    "expiry",
    "reopening",
    "cold-reopening",
    "after-a-kill",
    "recovery",
  ],
};

/** Everything that is measured beside the peers, in about 40 minutes. */
export const FULL: Scale = {
  mode: "full",
  rounds: 3,
  // They wait for a disk, whose speed changes from minute to minute.
  roundsOf: { "durable-puts": 5, "coalesced-puts": 5, "synchronous-puts": 5 },
  warmUpMs: 300,
  measureMs: 1000,
  durableInFlight: [1, 16, 256, 1024],
  entries: MILLION,
  limited: [IN_192_MIB],
  growth: [MILLION],
  overwrites: MILLION,
  waves: MILLION,
  leaveOut: LONG,
};

/** `FULL`, more data than memory, larger stores, and Kaya alone at 5M and 20M entries and over a longer life: hours. */
export const LARGE: Scale = {
  ...FULL,
  mode: "large",
  largeOpening: 10 * MILLION,
  limited: [IN_192_MIB, IN_1_GIB],
  growth: [MILLION, 5 * MILLION, 20 * MILLION],
  overwrites: 10 * MILLION,
  waves: 5 * MILLION,
  leaveOut: [],
};
