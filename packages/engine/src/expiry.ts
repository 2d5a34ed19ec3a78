import { types } from "node:util";
import { describe } from "@kaya/core";
import type { Now } from "./clock.js";
import { invalid } from "./input.js";

/** When a value expires. Give one of the two at most. */
export interface Expiry {
  /** The value expires this many milliseconds after the call: a whole number >= 1. */
  readonly ttlMs?: number;
  /**
   * The value expires at this moment: a `Date`, or whole milliseconds since 1970. A moment in the past is
   * allowed: the value is written and hidden at once, and so is the value that the key had before.
   */
  readonly expiresAt?: number | Date;
}

/**
 * The moment in milliseconds since 1970; undefined where the value stays.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function expiryOf(
  { ttlMs, expiresAt }: { readonly [Name in keyof Expiry]: Expiry[Name] | undefined },
  now: Now,
): number | undefined {
  if (ttlMs === undefined) return expiresAt === undefined ? undefined : momentOf(expiresAt);
  if (expiresAt !== undefined) throw invalid("give ttlMs or expiresAt, not both");
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 1)
    throw invalid(`ttlMs must be a whole number of milliseconds >= 1, not ${describe(ttlMs)}`);
  const at = now() + ttlMs;
  if (!Number.isSafeInteger(at))
    throw invalid(
      `ttlMs (${ttlMs}) is too large: the value must expire at most 2^53 - 1 milliseconds after the beginning of 1970`,
    );
  return at;
}

function momentOf(expiresAt: unknown): number {
  // Also one of another realm, as test runners have them.
  const at = types.isDate(expiresAt) ? Date.prototype.getTime.call(expiresAt) : expiresAt;
  if (Number.isSafeInteger(at) && (at as number) >= 1) return at as number;
  const shown = types.isDate(expiresAt) && Number.isNaN(at) ? "an invalid Date" : describe(expiresAt);
  throw invalid(
    `expiresAt must be a Date after the beginning of 1970, or whole milliseconds since then, from 1 to 2^53 - 1, not ${shown}`,
  );
}
