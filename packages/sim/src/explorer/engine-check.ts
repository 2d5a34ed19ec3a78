import type { PartialEngineConfig } from "@kaya/core";
import { Engine } from "@kaya/engine";
import { logIdsOf } from "../log-ids.js";
import type { Check } from "./check-run.js";
import { checkContents, contentsAfter, contentsOf, type EngineWrite, perform } from "./engine-write.js";
import type { HistoryView } from "./history.js";

export interface EngineCheckOptions {
  /** The engine that was opened makes a checkpoint before the second crash. */
  readonly makesCheckpoint?: boolean;
  /** What else is to hold once the engine was opened: it throws where it does not. */
  readonly alsoCheck?: (engine: Engine) => Promise<void> | void;
}

const PROBE: EngineWrite = { durability: "strict", write: [{ type: "put", key: "probe", value: "here" }] };

/**
 * The store opens with the contents that it had after some prefix of the writes, every acknowledged one among them; it
 * takes a write; and after the next power cut, and after a clean end, it has the same contents and that write.
 */
export function engineCheck(
  config: PartialEngineConfig,
  { makesCheckpoint = false, alsoCheck }: EngineCheckOptions = {},
): Check<EngineWrite> {
  return async (disk, view, recovered) => {
    const engine = await Engine.open(config, disk, { newLogId: logIdsOf(disk) });
    recovered();
    const count = engine.stats().lastLsn;
    checkCount(view, count);
    const writes = view.attempted.slice(0, count);
    checkContents(await contentsOf(engine), contentsAfter(writes), `after ${count} writes`);
    await alsoCheck?.(engine);
    await perform(engine, PROBE);
    if (makesCheckpoint) await checkpointAndGoOn(engine);
    disk.crash();

    const again = await Engine.open(config, disk, { newLogId: logIdsOf(disk) });
    const expected = contentsAfter([...writes, PROBE]);
    checkContents(await contentsOf(again), expected, "after a second crash");
    await again.close();
    const { warnings, truncatedBytes } = again.lastRecovery;
    if (warnings.length > 0 || truncatedBytes > 0) {
      throw new Error(`a second recovery cut ${truncatedBytes} bytes, with ${warnings.length} warnings`);
    }
  };
}

/** What it covers is dropped from the log, and what comes behind it is there with it. */
async function checkpointAndGoOn(engine: Engine): Promise<void> {
  const { lsn } = await engine.checkpoint();
  const { lastLsn, wal } = engine.stats();
  if (lsn !== lastLsn || wal.bytes > 0)
    throw new Error(`a checkpoint at LSN ${lastLsn} covers LSN ${lsn}, and leaves ${wal.bytes} bytes of log`);
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
