/** How much a run of the cluster's bench measures. */
export interface ClusterScale {
  readonly mode: "quick" | "full";
  /** Rounds of the puts. Each round has another order. */
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** How often a writer is killed. */
  readonly kills: number;
  /** How long a writer writes at full speed while a follower follows it. */
  readonly lagMs: number;
  /** The sizes of the stores that a node joins, in entries. */
  readonly joined: readonly number[];
}

export const QUICK: ClusterScale = {
  mode: "quick",
  rounds: 1,
  warmUpMs: 500,
  measureMs: 1500,
  kills: 3,
  lagMs: 4000,
  joined: [10_000, 100_000],
};

export const FULL: ClusterScale = {
  mode: "full",
  rounds: 3,
  warmUpMs: 1500,
  measureMs: 4000,
  kills: 9,
  lagMs: 15_000,
  joined: [10_000, 100_000, 1_000_000],
};
