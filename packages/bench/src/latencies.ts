/**
 * How long each operation took, in ms, with `inFlight` callers that each await their own before their next, for as long as `goesOn`
 * says at the beginning of each.
 */
export async function latenciesWhile(
  goesOn: () => boolean,
  inFlight: number,
  operation: () => Promise<unknown>,
): Promise<number[]> {
  const latencies: number[] = [];
  const caller = async () => {
    while (goesOn()) {
      const started = performance.now();
      await operation();
      latencies.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return latencies;
}

/** Latencies of operations as they come, in ms: adding one neither allocates an object nor copies often. */
export class Latencies {
  #values = new Float64Array(1 << 12);
  #count = 0;

  add(ms: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(2 * this.#count);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = ms;
  }

  /** NaN where there is none. */
  percentile(share: number): number {
    return percentile(this.#values.subarray(0, this.#count), share);
  }
}

/** The least of these that at least `share` of them do not exceed. */
export function percentile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
