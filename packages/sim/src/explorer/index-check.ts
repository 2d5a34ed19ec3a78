import type { PartialEngineConfig } from "@kaya/core";
import { type Engine, verifyIndexEntries } from "@kaya/engine";
import type { SimDisk } from "@kaya/io";
import type { Check } from "./check-run.js";
import type { HistoryView } from "./history.js";
import { openIndexed } from "./index-session.js";
import { indexedView, type Row, type RowWrite, rowsAfter, showRows } from "./indexed-rows.js";

const PROBE: Row = { unique: "the probe's", many: ["probe"] };

/**
 * The store opens with the rows that it had after some prefix of the writes, every acknowledged one among them. Right away each entry leads to a
 * row; once what a crash broke off is built, entries and rows agree in both directions. It takes a write, and after the
 * next power cut the same holds.
 */
export function indexCheck(config: PartialEngineConfig): Check<RowWrite> {
  return async (disk, view, recovered) => {
    const engine = await openIndexed(config, disk);
    recovered();
    const rows = await checkIndexes(engine);
    checkPrefix(view, rows);
    const again = indexedView(engine);
    await again.put("probe", PROBE);
    const found = await again.index("unique").get("the probe's");
    if (found?.key !== "probe") throw new Error(`the row "probe" is not found by its index: ${found?.key}`);
    disk.crash();
    await checkAgain(config, disk, [...rows, ["probe", PROBE] as const]);
  };
}

async function checkAgain(
  config: PartialEngineConfig,
  disk: SimDisk,
  expected: readonly (readonly [string, Row])[],
): Promise<void> {
  const engine = await openIndexed(config, disk);
  const rows = await checkIndexes(engine);
  await engine.close();
  if (showRows(rows) !== showRows(expected))
    throw new Error(`after a second crash the rows are ${showRows(rows)}, and were ${showRows(expected)}`);
}

/** @returns the rows */
async function checkIndexes(engine: Engine): Promise<[string, Row][]> {
  const early = await verifyIndexEntries(engine);
  if (early.problems[0] !== undefined)
    throw new Error(`right after the opening ${early.problems[0].message}`);
  const view = indexedView(engine);
  const { problems } = await view.verifyIndexes();
  if (problems[0] !== undefined) throw new Error(problems[0].message);
  const rows: [string, Row][] = [];
  for (const [key, row] of await view.entries().toArray()) rows.push([key, row]);
  return rows;
}

function checkPrefix(
  { attempted, acknowledged }: HistoryView<RowWrite>,
  rows: readonly [string, Row][],
): void {
  const least = attempted.findLastIndex((write) => acknowledged.has(write)) + 1;
  const shown = showRows(rows);
  for (let count = least; count <= attempted.length; count++)
    if (showRows(rowsAfter(attempted.slice(0, count), acknowledged)) === shown) return;
  throw new Error(
    `the rows are ${shown}, which they were after no prefix of ${attempted.length} writes with the first ${least}`,
  );
}
