/** The distribution of a measured quantity, in the unit that its field names. All 0 if nothing was measured. */
export interface Distribution {
  /** The average of all values. */
  readonly mean: number;
  /** Half of the values were at most this. It may be too high by up to a sixteenth. */
  readonly p50: number;
  /** 99 of 100 values were at most this. It may be too high by up to a sixteenth. */
  readonly p99: number;
  /** The greatest value. */
  readonly max: number;
  /**
   * How many were at most so much, for each power of two of the unit that was counted in (microseconds for a time): from the first that has one
   * to the first that has all. Empty while nothing was measured; values over 2^31 are in none.
   */
  readonly buckets: readonly (readonly [atMost: number, count: number])[];
}

// Bucket 0 is for 0. Behind it, counted from 1: below 32 each whole number has a bucket; from there on each power of two has 16 of equal width, up to 2^32. A power of two
// is the last value of its bucket, so that what is at most a power of two can be told exactly.
const EXACT_BITS = 4;
const PER_POWER = 1 << EXACT_BITS;
const LARGEST = 2 ** 32;
const LAST_POWER = 31;
const BUCKETS = bucketOf(LARGEST) + 1;

/**
 * Counts values on a logarithmic scale, in memory of a fixed size and without an allocation a value. Node has one too
 * (`createHistogram`): one takes 20 to 30 us to make and 1 to 2 us to ask, and the garbage collector does not see its memory.
 */
export class Histogram {
  // A store that runs for years counts past 2^32.
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sum = 0;
  #max = 0;

  /** How many values were recorded. */
  get count(): number {
    return this.#count;
  }

  /**
   * Counts a value.
   * @param value >= 0, in any unit. A fraction counts as the whole number above it, a value over 2^32 as 2^32
   */
  record(value: number): void {
    const bucket = bucketOf(Math.min(Math.ceil(value), LARGEST));
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count++;
    this.#sum += value;
    if (value > this.#max) this.#max = value;
  }

  /**
   * Mean, percentiles and maximum of the values so far.
   * @param unit how many recorded units make 1 in the answer
   */
  distribution(unit = 1): Distribution {
    return {
      mean: this.#count === 0 ? 0 : this.#sum / this.#count / unit,
      p50: this.#percentile(0.5) / unit,
      p99: this.#percentile(0.99) / unit,
      max: this.#max / unit,
      buckets: this.#buckets(unit),
    };
  }

  #buckets(unit: number): [atMost: number, count: number][] {
    const buckets: [number, number][] = [];
    let [bucket, count] = [0, 0];
    for (let power = 0; power <= LAST_POWER && count < this.#count; power++) {
      for (const last = bucketOf(2 ** power); bucket <= last; bucket++)
        count += this.#counts[bucket] as number;
      if (count > 0) buckets.push([2 ** power / unit, count]);
    }
    return buckets;
  }

  /** The largest value of the bucket in which this share of all is reached. */
  #percentile(share: number): number {
    let left = share * this.#count;
    for (let bucket = 0; left > 0 && bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket] as number;
      if (left <= 0) return Math.min(upperBound(bucket), this.#max);
    }
    return this.#max;
  }
}

/** @param value a whole number from 0 to `LARGEST` */
function bucketOf(value: number): number {
  if (value === 0) return 0;
  const from0 = value - 1;
  const shift = Math.max(0, 31 - Math.clz32(from0) - EXACT_BITS);
  return 1 + shift * PER_POWER + (from0 >>> shift);
}

/** The largest whole number in a bucket. */
function upperBound(bucket: number): number {
  if (bucket === 0) return 0;
  const shift = Math.max(0, Math.floor((bucket - 1) / PER_POWER) - 1);
  return (bucket - shift * PER_POWER) * 2 ** shift;
}
