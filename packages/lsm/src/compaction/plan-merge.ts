import { hull, overlapping } from "../version/extent.js";
import { GRANDPARENT_RATIO, type MergeJob, type TableFormat } from "./job.js";
import { type MergePick, olderBelow } from "./pick.js";
import { bytesOf, type PickLevels } from "./shape.js";

export interface MergePlanOptions {
  readonly tableBytes: number;
  readonly format: TableFormat;
  readonly now: number;
  readonly seed: Uint8Array;
}

/** The tables around a merge. */
export function planMerge(
  levels: PickLevels,
  { inputs, to }: MergePick,
  { tableBytes, format, now, seed }: MergePlanOptions,
): Omit<MergeJob, "firstId"> {
  const tables = inputs.flatMap((input) => input.tables);
  const extent = hull(tables);
  const grandparents = overlapping(levels[to + 1] ?? [], extent);
  const forSize = 2 * Math.ceil(bytesOf(tables) / tableBytes);
  const forGrandparents = Math.ceil(bytesOf(grandparents) / (GRANDPARENT_RATIO * tableBytes));
  return {
    runs: inputs.flatMap(({ level, tables: of }) =>
      level === 0 ? of.map(({ meta }) => [meta]) : [of.map(({ meta }) => meta)],
    ),
    older: olderBelow(levels, to, extent),
    grandparents: grandparents.map(({ start, end, meta }) => ({ start, end, fileBytes: meta.fileBytes })),
    mostOutputs: 1 + forSize + forGrandparents,
    tableBytes,
    format,
    now,
    seed,
  };
}
