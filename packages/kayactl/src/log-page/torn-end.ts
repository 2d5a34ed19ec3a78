import { basename, dirname } from "node:path";
import { KayaError } from "@kaya/core";
import { NodeDisk } from "@kaya/io";
import type { SegmentLocation, WalWarning } from "@kaya/wal";
import type { Context } from "../context.js";
import { dryRun } from "../inspect/dry-run.js";

/** The warnings about a record whose end is missing. */
const UNFINISHED: readonly WalWarning["kind"][] = ["PartialHeader", "PartialPayload"];

/** Whether the damage of a segment may be an unfinished write at the end of the log. */
export function mayBeTorn(damage: readonly WalWarning[]): boolean {
  const [only] = damage;
  return damage.length === 1 && only !== undefined && UNFINISHED.includes(only.kind);
}

/**
 * Whether the next opening cuts the last segment at `offset`, as it does with a write that a crash left unfinished. A dry run of the recovery
 * decides, because it reads more than this segment.
 */
export async function isCutByOpening(
  context: Context,
  { disk, length }: SegmentLocation,
  offset: number,
): Promise<boolean> {
  // Any other place is no log that an opening would read.
  if (!(disk instanceof NodeDisk) || basename(disk.root) !== "wal") return false;
  const data = dirname(disk.root);
  try {
    const { truncatedBytes, warnings } = await dryRun({ ...context, options: { ...context.options, data } });
    return (
      truncatedBytes === length - offset &&
      warnings.some((each) => UNFINISHED.includes(each.kind) && "offset" in each && each.offset === offset)
    );
  } catch (error) {
    // The recovery refuses: it is damage.
    if (error instanceof KayaError) return false;
    throw error;
  }
}
