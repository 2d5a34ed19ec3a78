import type { Lsn, SequenceNumber } from "@kaya/core";
import type { BatchCondition, Engine } from "@kaya/engine";
import { toBytes } from "./bytes.js";
import type { StepCondition } from "./steps.js";
import type { Timeline } from "./timeline.js";

export interface ExpectedCondition {
  readonly key: string;
  readonly sequence: SequenceNumber | undefined;
}

/** A condition that does not hold, and the write because of which it does not. */
export interface Broken {
  readonly key: string;
  /** 0 where no write ever did anything to the key. */
  readonly byLsn: Lsn;
}

/** The condition of a caller that has just read the key, foresees writes under way, or is wrong. */
export function conditionOf(
  { key, is }: StepCondition,
  engine: Engine,
  timeline: Timeline,
): ExpectedCondition {
  switch (is) {
    case "as-read":
      return { key, sequence: engine.getEntrySync(toBytes(key)).sequence };
    case "as-written":
      return { key, sequence: timeline.lastChangeOf(key)?.sequence };
    case "absent":
      return { key, sequence: undefined };
    case "wrong":
      return { key, sequence: timeline.lastSequence + 1 };
  }
}

/** The first that does not hold after all attempts. */
export function firstBroken(
  conditions: readonly ExpectedCondition[],
  timeline: Timeline,
): Broken | undefined {
  for (const { key, sequence } of conditions) {
    const last = timeline.lastChangeOf(key);
    if (last?.sequence !== sequence) return { key, byLsn: last?.firstLsn ?? 0 };
  }
  return undefined;
}

export function toEngineCondition({
  key,
  sequence,
}: ExpectedCondition): BatchCondition & { readonly key: Uint8Array } {
  return { key: toBytes(key), sequence };
}
