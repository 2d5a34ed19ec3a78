/** When the entries of a table expire: of those that do. Times are milliseconds since 1970. */
export interface TableExpiry {
  /** How many entries expire: 1 or more. */
  readonly entries: number;
  /** When the first of them expires, in milliseconds since 1970. */
  readonly earliest: number;
  /** About half of them have expired by then. */
  readonly half: number;
  /** When the last of them expires, in milliseconds since 1970. */
  readonly latest: number;
}

/** Times that are kept at most; from twice as many entries on every second one, and so on. */
const SAMPLE = 256;

/** Collects when a table's entries expire, in little memory. The same entries in the same order give the same numbers. */
export class ExpiryCounter {
  #entries = 0;
  #earliest = Number.POSITIVE_INFINITY;
  #latest = 0;
  #sample: number[] = [];
  #stride = 1;

  add(expiresAt: number): void {
    if (this.#entries++ % this.#stride === 0) this.#keep(expiresAt);
    if (expiresAt < this.#earliest) this.#earliest = expiresAt;
    if (expiresAt > this.#latest) this.#latest = expiresAt;
  }

  /** Of the entries so far; undefined where there is none. */
  get expiry(): TableExpiry | undefined {
    if (this.#entries === 0) return undefined;
    const sorted = this.#sample.toSorted((a, b) => a - b);
    return {
      entries: this.#entries,
      earliest: this.#earliest,
      half: sorted[sorted.length >>> 1] as number, // the first entry is in the sample
      latest: this.#latest,
    };
  }

  #keep(expiresAt: number): void {
    this.#sample.push(expiresAt);
    if (this.#sample.length < SAMPLE) return;
    this.#sample = this.#sample.filter((_, i) => i % 2 === 0);
    this.#stride *= 2;
  }
}

/** About how many of the expiring entries have expired by `now`: exact if none or all have, else estimated from the three times. */
export function expiredBy({ entries, earliest, half, latest }: TableExpiry, now: number): number {
  if (now < earliest) return 0;
  if (now >= latest) return entries;
  const [from, to, before] = now < half ? [earliest, half, 0] : [half, latest, 0.5];
  const part = before + (to === from ? 0.5 : (0.5 * (now - from)) / (to - from));
  return Math.min(entries, Math.max(1, Math.round(part * entries)));
}

/** The earliest time at which `expiredBy` gives about `wanted` entries; undefined where it never does. */
export function expiredAt(
  { entries, earliest, half, latest }: TableExpiry,
  wanted: number,
): number | undefined {
  if (wanted > entries) return undefined;
  const part = wanted / entries;
  if (wanted <= 1) return earliest;
  if (part <= 0.5) return Math.ceil(earliest + 2 * part * (half - earliest));
  return Math.ceil(half + (2 * part - 1) * (latest - half));
}
