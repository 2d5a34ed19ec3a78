import { KayaError, type Lsn } from "@kaya/core";
import { isDamage, locateSegments, type SegmentLocation, type WalWarning } from "@kaya/wal";
import type { Context } from "../context.js";
import { LogInspector } from "./inspect-segment.js";

export interface Damage {
  /** A segment's name. */
  readonly segment: string;
  readonly warning: WalWarning;
}

export interface DamageSurvey {
  /** The first of them. */
  readonly found: readonly Damage[];
  readonly count: number;
}

/** So many findings are told; the rest is counted. */
export const MOST_DAMAGE = 1000;

/**
 * All damage in all segments of a data directory: a recovery stops at the first.
 * @param coveredLsn what the tables cover
 */
export async function surveyDamage(context: Context, coveredLsn: Lsn): Promise<DamageSurvey> {
  const found: Damage[] = [];
  let count = 0;
  const add = (segment: string, warnings: readonly WalWarning[]) => {
    count += warnings.length;
    for (const warning of warnings.slice(0, MOST_DAMAGE - found.length)) found.push({ segment, warning });
  };
  const inspector = new LogInspector(context, { coveredLsn });
  for (const location of await segmentsOf(context.options.data)) {
    const warnings = (await inspector.segment(location, () => undefined)).filter(isDamage);
    add(location.name, warnings);
    // Records that damage hides are missing in the next segment: that is no damage of its own.
    if (warnings.some(({ kind }) => kind !== "NonMonotonicLsn")) inspector.expect(undefined);
  }
  return { found, count };
}

async function segmentsOf(dataDir: string): Promise<readonly SegmentLocation[]> {
  try {
    return await locateSegments(dataDir);
  } catch (error) {
    // A file named like a segment that cannot be one: the refusal has told it.
    if (KayaError.is(error, "KAYA_CORRUPTION")) return [];
    throw error;
  }
}
