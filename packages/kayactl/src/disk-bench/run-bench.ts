import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileError } from "../file-error.js";
import { BenchStore } from "./bench-store.js";
import { MEASURES, roundOf, type Sample } from "./measures.js";
import { type Latency, latencyOf, type Spread, spreadOf } from "./statistics.js";

export interface BenchOptions {
  /** Where a directory is made, and removed again. */
  readonly beside: string;
  /** About, in all. */
  readonly seconds: number;
  readonly valueBytes: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (progress: BenchProgress) => void;
}

export interface BenchProgress {
  /** From 1 on; 0 is the one that does not count. */
  readonly round: number;
  readonly rounds: number;
  readonly measure: string;
}

export interface BenchRow extends Spread {
  readonly name: string;
  readonly unit: "ms" | "per second";
  /** Of each operation, over all rounds, where they were timed. */
  readonly latency: Latency | undefined;
}

export interface BenchResult {
  readonly rows: readonly BenchRow[];
  readonly rounds: number;
  readonly roundMs: number;
  /** That the store had in the end. */
  readonly entries: number;
}

const ROUNDS = 5;
/** Of the time of a round. The first runs of any code are slow, and there is nothing to read yet. */
const WARM_UP = 0.4;

/**
 * Measures a disk with Kaya, round by round: what disturbs a moment disturbs one round of each measure. Removes what it made, however it ends.
 * @throws KayaError KAYA_IO, KAYA_DISK_FULL
 */
export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const directory = await mkdtemp(join(options.beside, ".kayactl-bench-")).catch((cause: unknown) => {
    throw fileError(options.beside, cause);
  });
  try {
    const store = await BenchStore.open(directory, options.valueBytes);
    try {
      return await measureAll(store, options);
    } finally {
      await store.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function measureAll(
  store: BenchStore,
  { seconds, signal, onProgress }: BenchOptions,
): Promise<BenchResult> {
  const roundMs = (seconds * 1000) / MEASURES.length / (ROUNDS + WARM_UP);
  const samples = MEASURES.map((): Sample[] => []);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [index, measure] of MEASURES.entries()) {
      onProgress({ round, rounds: ROUNDS, measure: measure.name });
      const sample = await measure.run(store, roundOf(round === 0 ? WARM_UP * roundMs : roundMs, signal));
      if (round > 0) samples[index]?.push(sample);
    }
  }
  return {
    rows: MEASURES.map((measure, index) => rowOf(measure, samples[index] ?? [])),
    rounds: ROUNDS,
    roundMs,
    entries: store.entries,
  };
}

function rowOf({ name, unit }: Pick<BenchRow, "name" | "unit">, samples: readonly Sample[]): BenchRow {
  return {
    name,
    unit,
    ...spreadOf(samples.map(({ value }) => value)),
    latency: latencyOf(samples.flatMap(({ timesMs }) => timesMs)),
  };
}
