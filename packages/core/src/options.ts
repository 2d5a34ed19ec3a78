import { describe } from "./describe.js";
import { KayaError } from "./errors.js";

/**
 * Refuses an options object with a key that does not exist: a misspelt option would be ignored in silence.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function checkKeys(given: object, known: readonly string[], what: string): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new KayaError("KAYA_INVALID_ARGUMENT", `${what} must be an object, not ${describe(given)}`);
  }
  const unknown = Object.keys(given).filter((key) => !known.includes(key));
  if (unknown.length === 0) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${what} has no ${unknown.join(", ")} (known: ${known.join(", ")})`,
  );
}
