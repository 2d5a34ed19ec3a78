import { KayaError, type Lsn } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { ArmedFaults, type Strike, takesNamesBack } from "./armed-faults.js";
import { toText } from "./bytes.js";
import { differenceOfTables, type FoundTables, findTables } from "./found-tables.js";
import { Gate } from "./gate.js";
import { GatedDisk } from "./gated-disk.js";
import { isAlive, type StateEntry } from "./state.js";
import { QUIET_STORE } from "./store-config.js";
import type { Attempt } from "./timeline.js";
import { mustHold } from "./violation.js";
import { turn, Watched } from "./watched.js";
import type { World } from "./world.js";

/** A scan lets others have their turn now and then. */
const MOST_TURNS = 1000;

/** A data directory that is made of another one: by a backup, or from a point in time. */
export interface Copy {
  /** For messages. */
  readonly what: string;
  readonly disk: SimDisk;
  /** The last record that it is to hold is between these, both included. */
  readonly least: Lsn;
  readonly most: Lsn;
  /** What may have been written up to there. */
  readonly logs: readonly (readonly Attempt[])[];
  /** What the directory held before: an earlier copy, which stays until the new one counts. */
  readonly earlier?: FoundTables | undefined;
}

/** It is done: after any power cut it is the state at its LSN, read without the engine and by an engine. */
export async function mustBeWhole(world: World, copy: Copy): Promise<void> {
  for (const survive of ["nothing", "everything"] as const) {
    const left = copy.disk.fork();
    left.crash({ survive });
    const found = await lookAt(world, copy, left);
    mustHold(found?.covered.lsn === copy.most, "acknowledged-lost", () => {
      return `${copy.what} at LSN ${copy.most} is done, and after a power cut it is not there`;
    });
    if (survive === "nothing") await mustOpenAs(world, copy, left, found);
  }
}

/**
 * It was rejected: it was removed, and the earlier content is there. If a fault prevented the removal, all of it may be there; if a fault
 * was the reason, a power cut may bring all of it back.
 */
export async function mustBeGone(world: World, copy: Copy, strikes: readonly Strike[]): Promise<void> {
  const found = await lookAt(world, copy, copy.disk.fork());
  // Without descriptors it cannot even list the files to remove.
  const isRemoved = !strikes.some(
    (strike) =>
      strike.operation === "remove" || strike.fault.kind === "no-descriptors" || takesNamesBack(strike),
  );
  // A manifest that names it may be there for good where an earlier one was there: no undo could be certain.
  const mayStay = !isRemoved || (copy.earlier !== undefined && strikes.length > 0);
  mustHold(found?.isNew !== true || mayStay, "wrong-refusal", () => {
    return `${copy.what} was rejected, and left LSN ${found?.covered.lsn}, which could be taken for it`;
  });
  const later = await mustBeWholeOrNothing(world, copy);
  mustHold(later?.isNew !== true || strikes.length > 0, "wrong-refusal", () => {
    return `${copy.what} was rejected, and after a power cut there is LSN ${later?.covered.lsn}, which could be taken for it`;
  });
}

/** It was interrupted: a power cut leaves the earlier content (nothing or an earlier copy), or all of it. */
export async function mustBeWholeOrNothing(world: World, copy: Copy): Promise<FoundCopy | undefined> {
  const left = copy.disk.fork();
  left.crash({ survive: "random" });
  const found = await lookAt(world, copy, left);
  mustHold(found !== undefined || copy.earlier === undefined, "acknowledged-lost", () => {
    return `${copy.what} was not made, and the one that was there before is gone`;
  });
  await mustOpenAs(world, copy, left, found);
  return found;
}

interface FoundCopy extends FoundTables {
  /** It is not what was there before. */
  readonly isNew: boolean;
}

async function lookAt({ time }: World, copy: Copy, disk: SimDisk): Promise<FoundCopy | undefined> {
  const { what, least, most, logs, earlier } = copy;
  const found = await findTables(disk);
  if (found === undefined) return undefined;
  const { lsn } = found.covered;
  if (earlier !== undefined && isSame(found, earlier)) return { ...found, isNew: false };
  mustHold(lsn >= least && lsn <= most, "wrong-answer", () => {
    return `${what} of LSN ${least} to ${most} holds LSN ${lsn}`;
  });
  const differences = logs.map((attempts) => differenceOfTables(found, attempts, time.now));
  mustHold(differences.includes(undefined), "wrong-read", () => `${what} of LSN ${lsn}: ${differences[0]}`);
  return { ...found, isNew: true };
}

function isSame({ covered, entries }: FoundTables, earlier: FoundTables): boolean {
  return (
    JSON.stringify({ covered, entries }) ===
    JSON.stringify({ covered: earlier.covered, entries: earlier.entries })
  );
}

async function mustOpenAs(
  world: World,
  { what }: Copy,
  disk: SimDisk,
  found: FoundTables | undefined,
): Promise<void> {
  const opened = new Watched(readAll(world, disk));
  for (let turns = 0; turns < MOST_TURNS && opened.state === "pending"; turns++) await turn();
  mustHold(opened.state !== "pending", "hang", () => `to open ${what} never ends`);
  // Tables without a manifest are no store: so an interrupted copy does not pass for an empty one.
  if (found === undefined && KayaError.is(opened.error, "KAYA_CORRUPTION")) return;
  mustHold(opened.state === "resolved", "wrong-refusal", () => `${what} opens not: ${opened.error}`);
  const { covered = { lsn: 0, sequence: 0 }, entries = [] } = found ?? {};
  const alive = entries.filter((entry) => isAlive(entry, world.time.now));
  const expected = { ...covered, entries: alive.map(({ key, value }): StateEntry => [key, value]) };
  const [is, should] = [opened.value, expected].map((state) => JSON.stringify(state));
  mustHold(is === should, "wrong-read", () => `${what} is opened with ${is}, and holds ${should}`);
}

async function readAll({ openEngine, config }: World, disk: SimDisk): Promise<object> {
  const calm = new GatedDisk(disk, new ArmedFaults(), Gate.open());
  const engine = await openEngine({ wal: config, ...QUIET_STORE }, calm);
  const entries: StateEntry[] = [];
  for await (const { key, value } of engine.scan()) entries.push([toText(key), toText(value)]);
  const { lastLsn: lsn, lastSequence: sequence } = engine.stats();
  await engine.close();
  return { lsn, sequence, entries };
}
