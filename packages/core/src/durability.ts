/**
 * What an acknowledged write has survived.
 *
 * - `strict`: it is on stable storage (fsync); it is there after any crash.
 * - `relaxed`: the operating system has it; it survives the death of the process, but a power cut may take it,
 *   and then every write behind it too.
 */
export const DurabilityMode = { Strict: "strict", Relaxed: "relaxed" } as const;
export type DurabilityMode = (typeof DurabilityMode)[keyof typeof DurabilityMode];

/** True for one of the two modes. */
export function isDurabilityMode(value: unknown): value is DurabilityMode {
  return value === DurabilityMode.Strict || value === DurabilityMode.Relaxed;
}
