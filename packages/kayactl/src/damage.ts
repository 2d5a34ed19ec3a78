import { KayaError } from "@kaya/core";
import { isDamage, locateSegments, type SegmentLocation, type WalWarning } from "@kaya/wal";
import type { Context } from "./context.js";
import { LogInspector } from "./inspect-segment.js";

export interface Damage {
  /** The file's name. */
  readonly segment: string;
  readonly warning: WalWarning;
}

export interface DamageSurvey {
  /** The first of them. */
  readonly found: readonly Damage[];
  readonly count: number;
}

const MOST = 1000;

/** All damage in all segments of a data directory: a recovery stops at the first. */
export async function surveyLog(context: Context): Promise<DamageSurvey> {
  const found: Damage[] = [];
  let count = 0;
  const inspector = new LogInspector(context);
  for (const location of await segmentsOf(context.options.data)) {
    const warnings = (await inspector.segment(location, () => undefined)).filter(isDamage);
    count += warnings.length;
    for (const warning of warnings.slice(0, MOST - found.length))
      found.push({ segment: location.name, warning });
    // Records that damage hides are missing in the next segment: that is no damage of its own.
    if (warnings.some(({ kind }) => kind !== "NonMonotonicLsn")) inspector.expectAny();
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
