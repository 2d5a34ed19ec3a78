import type { PartialEngineConfig } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import type { SimDisk } from "@kaya/io";
import { LsmTree } from "@kaya/lsm";
import type { Check } from "./check-run.js";
import { checkReads, keysOf } from "./engine-reads.js";
import { checkContents, contentsAfter, contentsOf, type EngineWrite, perform } from "./engine-write.js";
import type { HistoryView } from "./history.js";
import { openEngine } from "./open-engine.js";

export interface EngineCheckOptions {
  /** The engine that was opened flushes and compacts before the second crash. */
  readonly flushes?: boolean;
  /** A further check of the opened engine: throws if it fails. */
  readonly alsoCheck?: (engine: Engine) => Promise<void> | void;
}

const PROBE: EngineWrite = { durability: "strict", write: [{ type: "put", key: "probe", value: "here" }] };

/**
 * The store opens with the contents that it had after some prefix of the writes, every acknowledged one among them; it
 * takes a write; and after the next power cut, and after a clean end, it has the same contents and that write.
 */
export function engineCheck(
  config: PartialEngineConfig,
  { flushes = false, alsoCheck }: EngineCheckOptions = {},
): Check<EngineWrite> {
  return async (disk, view, recovered) => {
    const engine = await openEngine(config, disk);
    recovered();
    const count = engine.stats().lastLsn;
    checkCount(view, count);
    const writes = view.attempted.slice(0, count);
    const keys = keysOf([...view.attempted, ...view.rejected, PROBE]);
    await checkReads(engine, contentsAfter(writes), keys, `after ${count} writes`);
    await alsoCheck?.(engine);
    if (flushes) {
      await mustOpenAlike(config, disk, engine, contentsAfter(writes));
      await flushAndGoOn(engine);
    } else {
      await perform(engine, PROBE);
    }
    disk.crash();

    const again = await openEngine(config, disk);
    const expected = contentsAfter([...writes, PROBE]);
    await checkReads(again, expected, keys, "after a second crash");
    await again.close();
    const { warnings, truncatedBytes, tables } = again.lastRecovery;
    // The crash may have come during an automatic compaction.
    const compacts = config.tables?.autoCompact !== false;
    const told = tables.warnings.filter(({ kind }) => !compacts || kind !== "OrphanTable");
    if (warnings.length + told.length > 0 || truncatedBytes > 0) {
      throw new Error(
        `a second recovery cut ${truncatedBytes} bytes, and warned: ${JSON.stringify([...warnings, ...told])}`,
      );
    }
    await mustLeaveNoOrphan(disk);
  };
}

/** Data that an opening shows as durable outlives the next power cut, although nothing is written meanwhile. */
async function mustOpenAlike(
  config: PartialEngineConfig,
  disk: SimDisk,
  engine: Engine,
  expected: ReadonlyMap<string, string>,
): Promise<void> {
  const { durableLsn, lastLsn } = engine.stats();
  if (durableLsn < lastLsn) return;
  const fork = disk.fork();
  fork.crash({ survive: "random", seed: lastLsn });
  const again = await openEngine(config, fork);
  if (again.stats().lastLsn !== lastLsn)
    throw new Error(`an opening shows ${lastLsn} writes, and the one behind it ${again.stats().lastLsn}`);
  checkContents(await contentsOf(again), expected, "in the opening behind the first one");
  fork.killProcess();
}

/** Flushed data is dropped from the log; later writes are there too. */
async function flushAndGoOn(engine: Engine): Promise<void> {
  const snapshot = engine.snapshot();
  const before = await contentsOf(engine);
  await perform(engine, PROBE);
  const { lsn } = await engine.flush();
  const { lastLsn, wal } = engine.stats();
  const isKept = engine.consumers().length > 0;
  if (lsn !== lastLsn || (wal.bytes > 0 && !isKept))
    throw new Error(`a flush at LSN ${lastLsn} covers LSN ${lsn}, and leaves ${wal.bytes} bytes of log`);
  await engine.compact();
  checkContents(await contentsOf(snapshot), before, "in a snapshot, over a flush and a compaction,");
  snapshot.close();
  const expected = new Map([...before, ["probe", "here"]]);
  checkContents(await contentsOf(engine), expected, "flushed and compacted");
  await perform(engine, { ...PROBE, durability: "relaxed" });
  await perform(engine, PROBE);
}

function checkCount({ attempted, acknowledged }: HistoryView<EngineWrite>, count: number): void {
  if (count > attempted.length) {
    throw new Error(`${count} writes came back, and only ${attempted.length} can have happened`);
  }
  for (const [index, write] of attempted.entries()) {
    if (index < count || !acknowledged.has(write)) continue;
    throw new Error(
      `${count} writes came back, and write ${index}, acknowledged, is lost: ${JSON.stringify(write)}`,
    );
  }
}

/** Every file of tables and manifests that is left is one that counts. */
async function mustLeaveNoOrphan(disk: SimDisk): Promise<void> {
  const found = await LsmTree.look(disk);
  const { orphans } = found;
  await found.close();
  const manifests = await disk.list("manifest");
  if (orphans.length > 0) throw new Error(`closed, and these files are of no use: ${orphans}`);
  if (manifests.length !== 1) throw new Error(`closed, and there are ${manifests.length} manifests`);
}
