import type { KayaErrorCode, RecoveryMode } from "@kaya/core";
import type { LogStop } from "./log-scan.js";
import type { ScanEnd } from "./scanner.js";

/** Where the first bad bytes of a log are, and what they look like: the rows of the recovery table. */
export type Situation =
  | "zero-tail"
  | "torn-tail"
  | "damaged-tail"
  | "damaged-tail-with-records-behind"
  | "before-a-clean-close"
  | "not-the-tail"
  | "unknown-format"
  | "oversized-record";

/**
 * What recovery does: cuts the end here, stops here and moves everything behind to quarantine, or refuses and
 * changes nothing.
 */
export type Decision = "cut" | "stop" | "refuse";

/**
 * The recovery table of FORMAT.md. A tail is the end of the last segment: only there can a crash leave damage, because a
 * segment is durable whole before the next one is created (W1). A failed read never comes here: it is no decision.
 */
export const RECOVERY_TABLE: Readonly<Record<Situation, Readonly<Record<RecoveryMode, Decision>>>> = {
  "zero-tail": { tail: "cut", prefix: "cut", absolute: "cut" },
  "torn-tail": { tail: "cut", prefix: "cut", absolute: "refuse" },
  "damaged-tail": { tail: "cut", prefix: "cut", absolute: "refuse" },
  "damaged-tail-with-records-behind": { tail: "cut", prefix: "cut", absolute: "refuse" },
  "before-a-clean-close": { tail: "refuse", prefix: "stop", absolute: "refuse" },
  "not-the-tail": { tail: "refuse", prefix: "stop", absolute: "refuse" },
  "unknown-format": { tail: "refuse", prefix: "refuse", absolute: "refuse" },
  "oversized-record": { tail: "refuse", prefix: "refuse", absolute: "refuse" },
};

/** The code of a refusal. */
export function refusalCode(situation: Situation): KayaErrorCode {
  if (situation === "unknown-format") return "KAYA_UNSUPPORTED_VERSION";
  if (situation === "oversized-record") return "KAYA_INVALID_ARGUMENT";
  return "KAYA_CORRUPTION";
}

const UNKNOWN_FORMAT_KINDS = [
  "UnsupportedVersion",
  "BadHeaderLength",
  "UnknownFlags",
  "UnknownRecordType",
  "UnknownOperation",
];

/** An intact record that this code, or this configuration, must not touch. */
export function intactSituation(end: ScanEnd): "unknown-format" | "oversized-record" | undefined {
  // A header may be torn: its fields count only if its checksum holds.
  if (end.kind !== "damaged" || !end.headerHolds) return undefined;
  const { kind } = end.warning;
  if (UNKNOWN_FORMAT_KINDS.includes(kind)) return "unknown-format";
  return kind === "OversizedPayload" ? "oversized-record" : undefined;
}

/** Whether a crash can leave this at the end of a log. */
export function isTail(situation: Situation): boolean {
  return RECOVERY_TABLE[situation].tail === "cut";
}

/** Whether no mode cuts this, wherever it stands. */
export function refusesInEveryMode(stop: LogStop): boolean {
  return stop.kind === "bad-record" && intactSituation(stop.end) !== undefined;
}

/**
 * The row that a stop falls into.
 * @param tail what the rest of the file holds; used only for a bad record in the last segment
 */
export function situationOf(
  stop: LogStop,
  isLastSegment: boolean,
  tail: { readonly onlyZeros: boolean; readonly recordsBehind: boolean },
): Situation {
  const intact = stop.kind === "bad-record" ? intactSituation(stop.end) : undefined;
  if (intact !== undefined) return intact;
  if (stop.kind !== "bad-record" || !isLastSegment) return "not-the-tail";
  if (tail.onlyZeros) return "zero-tail";
  if (stop.end.kind === "torn") return "torn-tail";
  return tail.recordsBehind ? "damaged-tail-with-records-behind" : "damaged-tail";
}
