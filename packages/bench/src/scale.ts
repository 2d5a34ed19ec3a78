/** How much is measured. */
export interface Scale {
  readonly mode: "quick" | "full" | "large";
  readonly rounds: number;
  readonly warmUpMs: number;
  /** Of each rate: what is counted is what was done in this time. */
  readonly measureMs: number;
  readonly durableInFlight: readonly number[];
  /** Of the store that is read: gets, scans, ranges, reopening; and records of the log that is recovered. */
  readonly entries: number;
  /** Entries at which a growing store is looked at. */
  readonly growth: readonly number[];
  /** Puts over the same few keys. */
  readonly overwrites: number;
  /** Inserts, all of which are deleted again. */
  readonly waves: number;
  /** Workloads that are left out unless `--only` names them. */
  readonly leaveOut: readonly string[];
}

const MILLION = 1_000_000;

/** About a minute. */
export const QUICK: Scale = {
  mode: "quick",
  rounds: 3,
  warmUpMs: 60,
  measureMs: 180,
  durableInFlight: [1, 256, 1024],
  entries: 100_000,
  growth: [100_000, 500_000],
  overwrites: 200_000,
  waves: 100_000,
  leaveOut: [
    "relaxed-puts",
    "durable-batches",
    "ranges",
    "recovery",
    "opening",
    "opening-checkpoint",
    "reopening",
    "growth",
    "checkpointing",
    "overwrites",
    "waves",
  ],
};

export const FULL: Scale = {
  mode: "full",
  rounds: 5,
  warmUpMs: 300,
  measureMs: 1000,
  durableInFlight: [1, 16, 256, 1024],
  entries: MILLION,
  growth: [MILLION],
  overwrites: MILLION,
  waves: MILLION,
  leaveOut: [],
};

/** `FULL`, and Kaya alone at 5M and 20M entries, and over a longer life. */
export const LARGE: Scale = {
  ...FULL,
  mode: "large",
  growth: [MILLION, 5 * MILLION, 20 * MILLION],
  overwrites: 10 * MILLION,
  waves: 5 * MILLION,
};
