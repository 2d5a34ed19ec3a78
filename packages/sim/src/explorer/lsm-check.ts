import { KayaError } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { inspectManifest, LsmTree, type ManifestInspection } from "@kaya/lsm";
import type { Check } from "./check-run.js";
import type { HistoryView } from "./history.js";
import { tinyTree } from "./lsm-session.js";
import { checkTree, LATEST, type LsmFlush, type LsmOperation, sourceOf } from "./lsm-write.js";

const PROBE: readonly LsmOperation[] = [
  { type: "put", key: "probe", value: "here" },
  { type: "delete", key: "k03" },
  { type: "delete-range", start: "k05", end: "k07" },
];

/**
 * The tree opens with the contents of one of the flushes, at or behind the last one that was acknowledged, and leaves no file that
 * is not its own; it takes a flush and compacts; and after the next power cut it has the same contents and that flush.
 */
export function lsmCheck(): Check<LsmFlush> {
  return async (disk, view, recovered) => {
    const now = () => LATEST;
    const tree = await LsmTree.open(disk, tinyTree({ now }));
    recovered();
    const covered = tree.covered.sequence;
    const operations = operationsUpTo(view, covered);
    await checkTree(tree, operations, `with ${covered} operations`);
    const snapshot = tree.snapshot();
    const all = [...operations, ...PROBE];
    await tree.flush(sourceOf(all, covered), { lsn: all.length, sequence: all.length });
    await tree.compact();
    await checkTree(snapshot, operations, "in a snapshot, over a compaction");
    snapshot.release();
    await checkTree(tree, all, "compacted");
    await mustHoldOnlyItsOwn(disk, tree);
    disk.crash();

    const again = await LsmTree.open(disk, tinyTree({ autoCompact: false, now }));
    if (again.warnings.length > 0)
      throw new Error(`a second opening warns: ${JSON.stringify(again.warnings)}`);
    await checkTree(again, all, "after a second crash");
    await again.close();
  };
}

function operationsUpTo(view: HistoryView<LsmFlush>, covered: number): readonly LsmOperation[] {
  for (const { operations } of view.acknowledged) {
    if (operations.length > covered)
      throw new Error(
        `${covered} operations are there, and a flush of ${operations.length} was acknowledged`,
      );
  }
  if (covered === 0) return [];
  const flush = view.attempted.find(({ operations }) => operations.length === covered);
  if (flush === undefined)
    throw new Error(`${covered} operations are there, and no such flush was attempted`);
  return flush.operations;
}

/** Leftovers of a crash, a fault or a compaction do not stay for long. */
async function mustHoldOnlyItsOwn(disk: SimDisk, tree: LsmTree): Promise<void> {
  await tree.settled();
  await tree.close();
  const files = await disk.list("sst");
  const { tables } = tree.stats();
  if (files.length !== tables) throw new Error(`${files.length} files are there, and ${tables} tables`);
}

/** Changes of a directory that no crash makes: each must be refused. */
export async function mustRefuseDamage(disk: SimDisk): Promise<void> {
  const path = (await disk.list("manifest")).findLast((file) => file.path.endsWith(".manifest"))?.path;
  const bytes = path === undefined ? undefined : disk.readFile(path);
  if (path === undefined || bytes === undefined) return;
  const damages: [string, (fork: SimDisk) => void][] = [
    ["a flipped bit in the manifest's snapshot", (fork) => fork.flipBit(path, 60, 3)],
    ["a manifest without its beginning", (fork) => fork.truncateDurably(path, 30)],
  ];
  const second = replayOffset(await inspectManifest(disk, path));
  if (second !== undefined)
    damages.push([
      "a flipped bit in an edit with another behind it",
      (fork) => fork.flipBit(path, second + 50, 0),
    ]);
  const tables = await aliveTables(disk);
  const hasTables = tables.length > 0;
  for (const { path: table, length } of tables) {
    damages.push(
      [`without ${table}`, (fork) => fork.removeDurably(table)],
      [`with a shorter ${table}`, (fork) => fork.truncateDurably(table, length - 1)],
      [`with a damaged footer of ${table}`, (fork) => fork.flipBit(table, length - 20, 1)],
    );
  }
  if (hasTables) damages.push(["without its manifest", (fork) => fork.removeDurably(path)]);
  for (const [what, damage] of damages) {
    const fork = disk.fork();
    for (const { path: other } of await disk.list("manifest")) if (other !== path) fork.removeDurably(other);
    damage(fork);
    await mustBeRefused(fork, what);
  }
}

/** Of an edit that is not the last one. */
function replayOffset({ rows }: ManifestInspection): number | undefined {
  return rows.length > 2 ? rows[1]?.offset : undefined;
}

async function aliveTables(disk: SimDisk) {
  const fork = disk.fork();
  const tree = await LsmTree.open(fork, tinyTree({ autoCompact: false }));
  await tree.close();
  return fork.list("sst");
}

async function mustBeRefused(disk: SimDisk, what: string): Promise<void> {
  const operations = disk.nextOperation;
  try {
    await LsmTree.open(disk, tinyTree());
  } catch (error) {
    if (!KayaError.is(error, "KAYA_CORRUPTION")) throw error;
    if (disk.nextOperation === operations) return;
    throw new Error(`${what}: refused, and changed the disk`);
  }
  throw new Error(`${what}: opened, and must be refused`);
}
