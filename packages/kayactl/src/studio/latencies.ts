import { createHistogram } from "node:perf_hooks";
import type { Distribution } from "@kaya/wal";
import type { Latency } from "./api.js";

const NS_PER_MS = 1e6;

/** The durations of one kind of call. */
export class Latencies {
  readonly #histogram = createHistogram();

  async measure<T>(work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.#histogram.record(Math.max(1, Math.round((performance.now() - started) * NS_PER_MS)));
    }
  }

  /** Undefined before the first call. */
  get sum(): Latency | undefined {
    const histogram = this.#histogram;
    if (histogram.count === 0) return undefined;
    return {
      count: histogram.count,
      mean: histogram.mean / NS_PER_MS,
      p50: histogram.percentile(50) / NS_PER_MS,
      p99: histogram.percentile(99) / NS_PER_MS,
      max: histogram.max / NS_PER_MS,
    };
  }
}

/** The same from a distribution that the log measured. */
export function latencyOf(count: number, { mean, p50, p99, max }: Distribution): Latency | undefined {
  return count === 0 ? undefined : { count, mean, p50, p99, max };
}
