import { describe, KayaError, readInput } from "@kaya/core";
import type { Disk } from "./disk.js";

const METHODS = [
  "open",
  "list",
  "rename",
  "remove",
  "syncDir",
  "lock",
] as const satisfies readonly (keyof Disk)[];

/**
 * Refuses what a caller gave for a disk and is none, before anything is done with it.
 * @throws KayaError KAYA_INVALID_ARGUMENT where a method is missing, or looking for it throws (a proxy that was revoked)
 */
export function assertDisk(disk: unknown): asserts disk is Disk {
  const given = disk as Readonly<Record<string, unknown>> | null | undefined;
  const missing = readInput("a disk", () =>
    METHODS.filter((method) => typeof given?.[method] !== "function"),
  );
  if (missing.length === 0) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `a disk must have ${missing.map((method) => `${method}()`).join(", ")}: ${describe(disk)} does not`,
  );
}
