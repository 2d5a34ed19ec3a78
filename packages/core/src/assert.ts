import { KayaError } from "./errors.js";

/**
 * Asserts a numbered invariant (`W3`, `R2` …) of `packages/wal/FORMAT.md`.
 * @throws KayaError KAYA_INVARIANT_VIOLATION: a bug of ours, never the caller's.
 */
export function invariant(condition: boolean, id: string, message: string): asserts condition {
  if (!condition) throw new KayaError("KAYA_INVARIANT_VIOLATION", `${id}: ${message}. Please report this.`);
}
