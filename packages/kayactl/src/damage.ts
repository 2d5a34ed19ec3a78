import { KayaError } from "@kaya/core";
import type { CheckpointDirectory } from "@kaya/engine";
import { isDamage, locateSegments, type SegmentLocation, type WalWarning } from "@kaya/wal";
import { locateCheckpoint } from "./checkpoint-files.js";
import type { Context } from "./context.js";
import { LogInspector } from "./inspect-segment.js";

export interface Damage {
  /** A segment's name, or the checkpoint's path. */
  readonly segment: string;
  readonly warning: WalWarning;
}

export interface DamageSurvey {
  /** The first of them. */
  readonly found: readonly Damage[];
  readonly count: number;
}

const MOST = 1000;

/** All damage in the newest checkpoint and in all segments of a data directory: a recovery stops at the first. */
export async function surveyDamage(
  context: Context,
  { newest }: Pick<CheckpointDirectory, "newest">,
): Promise<DamageSurvey> {
  const found: Damage[] = [];
  let count = 0;
  const add = (segment: string, warnings: readonly WalWarning[]) => {
    count += warnings.length;
    for (const warning of warnings.slice(0, MOST - found.length)) found.push({ segment, warning });
  };
  if (newest !== undefined) {
    const inspector = new LogInspector(context);
    inspector.expect(newest.lsn);
    // It was whole when it got its name: zeros at its end are damage too, and valid records behind damage are what must be there.
    const warnings = await inspector.segment(locateCheckpoint(context.options.data, newest), () => undefined);
    add(
      newest.path,
      warnings.filter(({ kind }) => kind !== "ValidRecordsBeyondDamage"),
    );
  }
  const inspector = new LogInspector(context, { coveredLsn: newest?.lsn });
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
