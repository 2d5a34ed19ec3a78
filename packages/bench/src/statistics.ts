import type { Sample } from "./run.js";

/** The middle of some figures, and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @returns undefined where there are none */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number; // not empty
  const lower = sorted[middle - 1] ?? upper;
  return {
    median: sorted.length % 2 === 1 ? upper : (lower + upper) / 2,
    min: sorted[0] as number,
    max: sorted.at(-1) as number,
  };
}

/** A figure of a run: a row and a system. */
export interface Figure {
  readonly row: string;
  readonly system: string;
}

export function valuesOf(samples: readonly Sample[], { row, system }: Figure): readonly Sample[] {
  return samples.filter((sample) => sample.row === row && sample.system === system);
}

export function figureOf(samples: readonly Sample[], figure: Figure): Spread | undefined {
  return spreadOf(valuesOf(samples, figure).map(({ value }) => value));
}

/** One figure over another, round by round: a disturbance of a round affects both. */
export function ratioOf(samples: readonly Sample[], figure: Figure, reference: Figure): Spread | undefined {
  const references = new Map(valuesOf(samples, reference).map(({ round, value }) => [round, value]));
  const ratios = valuesOf(samples, figure).flatMap(({ round, value }) => {
    const base = references.get(round);
    return base === undefined || base === 0 ? [] : [value / base];
  });
  return spreadOf(ratios);
}
