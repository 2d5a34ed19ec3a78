import type { PartialEngineConfig } from "@kaya/core";
import { Engine } from "@kaya/engine";
import type { Check } from "./check-run.js";
import { type Contents, checkContents, contentsOf } from "./engine-write.js";
import type { HistoryView } from "./history.js";

/** A data directory that is made of another one. */
export interface Copied {
  readonly lsn: number;
  readonly contents: Contents;
}

const NOTHING: Copied = { lsn: 0, contents: new Map() };

/**
 * The directory opens with nothing in it, or with all of one copy that was attempted and not taken away again; with that one, once it is
 * done. It takes a write then, and has both after the next power cut.
 */
export function copiedCheck(config: PartialEngineConfig): Check<Copied> {
  return async (disk, view, recovered) => {
    const engine = await Engine.open(config, disk);
    recovered();
    const found = chosenFrom(view, engine.stats().lastLsn);
    checkContents(await contentsOf(engine), found.contents, `of LSN ${found.lsn}`);
    const { lsn } = await engine.put("probe", "here");
    if (lsn !== found.lsn + 1) throw new Error(`a copy of LSN ${found.lsn} goes on at LSN ${lsn}`);
    disk.crash();

    const again = await Engine.open(config, disk);
    const expected = new Map([...found.contents, ["probe", "here"]]);
    checkContents(await contentsOf(again), expected, `of LSN ${found.lsn}, after a second crash,`);
    await again.close();
  };
}

function chosenFrom({ attempted, acknowledged, rejected }: HistoryView<Copied>, lsn: number): Copied {
  const [done] = acknowledged;
  if (done !== undefined && lsn !== done.lsn)
    throw new Error(`the copy of LSN ${done.lsn} is done, and LSN ${lsn} is what is there`);
  const found = [NOTHING, ...attempted].find((copied) => copied.lsn === lsn);
  if (found !== undefined) return found;
  const why = [...rejected].some((copied) => copied.lsn === lsn)
    ? "was taken away again"
    : "was never attempted";
  throw new Error(`a copy of LSN ${lsn} is there, which ${why}`);
}
