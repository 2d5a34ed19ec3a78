import { KayaError, type PartialEngineConfig } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import type { SimDisk } from "@kaya/io";
import type { Check } from "./check-run.js";
import { type Contents, checkContents, contentsOf } from "./engine-write.js";
import type { HistoryView } from "./history.js";
import { openEngine } from "./open-engine.js";

/** A data directory that is made of another one. */
export interface Copied {
  readonly lsn: number;
  readonly contents: Contents;
}

export interface CopiedCheckOptions {
  /** Makes a copy in the directory that the crash left. Default: not tried. */
  readonly copyAgain?: (into: SimDisk) => Promise<Copied>;
}

const NOTHING: Copied = { lsn: 0, contents: new Map() };

/**
 * The directory has one whole copy: the last finished one, or a later attempt that was not undone. Before the first it may also be empty or
 * be refused. It takes a write, and has both after the next power cut. Another copy goes into it.
 */
export function copiedCheck(
  config: PartialEngineConfig,
  { copyAgain }: CopiedCheckOptions = {},
): Check<Copied> {
  return async (disk, view, recovered) => {
    const before = disk.fork();
    const engine = await openUnlessUnfinished(config, disk, view);
    recovered();
    if (engine !== undefined) await mustHoldOne(config, disk, engine, view);
    if (copyAgain === undefined) return;
    const copied = await copyAgain(before);
    before.crash();
    const again = await openEngine(config, before);
    mustBe(copied, again.stats().lastLsn);
    checkContents(await contentsOf(again), copied.contents, `of LSN ${copied.lsn}, copied again,`);
    await again.close();
  };
}

/** Undefined if an unfinished copy is refused and unchanged. */
async function openUnlessUnfinished(
  config: PartialEngineConfig,
  disk: SimDisk,
  { acknowledged }: HistoryView<Copied>,
): Promise<Engine | undefined> {
  const next = disk.nextOperation;
  try {
    return await openEngine(config, disk);
  } catch (error) {
    const isDone = acknowledged.size > 0;
    if (!isDone && KayaError.is(error, "KAYA_CORRUPTION") && disk.nextOperation === next) return undefined;
    throw error;
  }
}

async function mustHoldOne(
  config: PartialEngineConfig,
  disk: SimDisk,
  engine: Engine,
  view: HistoryView<Copied>,
): Promise<void> {
  const found = chosenFrom(view, engine.stats().lastLsn);
  checkContents(await contentsOf(engine), found.contents, `of LSN ${found.lsn}`);
  const { lsn } = await engine.put("probe", "here");
  if (lsn !== found.lsn + 1) throw new Error(`a copy of LSN ${found.lsn} goes on at LSN ${lsn}`);
  disk.crash();

  const again = await openEngine(config, disk);
  const expected = new Map([...found.contents, ["probe", "here"]]);
  checkContents(await contentsOf(again), expected, `of LSN ${found.lsn}, after a second crash,`);
  await again.close();
}

function chosenFrom({ attempted, acknowledged, rejected }: HistoryView<Copied>, lsn: number): Copied {
  const last = attempted.findLastIndex((copied) => acknowledged.has(copied));
  const possible = last < 0 ? [NOTHING, ...attempted] : attempted.slice(last);
  const found = possible.find((copied) => copied.lsn === lsn);
  if (found !== undefined) return found;
  const wasRejected = [...rejected].some((copied) => copied.lsn === lsn);
  const why = wasRejected ? "was taken away again" : "is not one that may be there";
  throw new Error(
    `a copy of LSN ${lsn} is there, which ${why}; the last that was done: ${attempted[last]?.lsn}`,
  );
}

function mustBe(copied: Copied, lsn: number): void {
  if (lsn !== copied.lsn) throw new Error(`LSN ${copied.lsn} was copied again, and LSN ${lsn} is there`);
}
