/** What an acknowledged write survives: any crash (`strict`), or the death of the process (`relaxed`). */
export const DurabilityMode = {
  /** The write is on stable storage (fsync) when it is acknowledged: it is there after any crash. */
  Strict: "strict",
  /**
   * The operating system has the write when it is acknowledged: it survives the death of the process, but a power cut may take it,
   * and then every write after it too.
   */
  Relaxed: "relaxed",
} as const;
/**
 * What an acknowledged write survives.
 *
 * - `strict`: it is on stable storage (fsync); it is there after any crash.
 * - `relaxed`: the operating system has it; it survives the death of the process, but a power cut may take it, and then every write
 *   after it too.
 */
export type DurabilityMode = (typeof DurabilityMode)[keyof typeof DurabilityMode];

/** True for `"strict"` and `"relaxed"`. */
export function isDurabilityMode(value: unknown): value is DurabilityMode {
  return value === DurabilityMode.Strict || value === DurabilityMode.Relaxed;
}
