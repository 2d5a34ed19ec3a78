import { KayaError } from "@kaya/core";
import { describeStrikes } from "./armed-faults.js";
import { quote, toText } from "./bytes.js";
import { stateAt } from "./found-tables.js";
import { Gate } from "./gate.js";
import { GatedDisk } from "./gated-disk.js";
import type { Process } from "./process.js";
import { readBeside } from "./read-beside.js";
import { seenAt } from "./state.js";
import type { LookStep } from "./steps.js";
import type { Attempt } from "./timeline.js";
import { mustHold } from "./violation.js";
import { Watched } from "./watched.js";
import type { World } from "./world.js";

/** What a read-only process saw. */
interface Seen {
  readonly lsn: number;
  readonly sequence: number;
  readonly entries: readonly (readonly [key: string, value: string])[];
  readonly count: number;
}

/**
 * Another process opens the directory read-only, reads everything, and closes it, while this one goes on with what it is at between its reads. It
 * sees what all writes up to some LSN left, and nothing else.
 */
export async function lookBeside({ beside }: LookStep, process: Process, world: World): Promise<void> {
  const { disk, faults, timeline, digest } = world;
  const had = process.mustHave();
  const strikesBefore = faults.strikesBeside.length;
  const before = [...timeline.possibleLogs()].map((attempts) => [...attempts]);
  const reads = new Gate();
  const options = { strikes: faults.strikesBeside, reads };
  const seen = new Watched(look(world, new GatedDisk(disk, faults, Gate.open(), options)));
  await readBeside(seen, reads, process, beside);
  if (seen.state === "rejected") {
    digest.add(`not looked at: ${seen.error}`);
    const struck = faults.strikesBeside.slice(strikesBefore);
    // A crash may leave a hole before the end. Only an opening cuts that off.
    const isHole = KayaError.is(seen.error, "KAYA_CORRUPTION") && process.isDown;
    mustHold(isHole || (KayaError.is(seen.error, "KAYA_IO") && struck.length > 0), "wrong-refusal", () => {
      return `a read-only engine was refused: ${seen.error}, after ${describeStrikes(struck)}`;
    });
    return;
  }
  world.looks++;
  const { lsn, sequence, entries } = seen.value;
  digest.add(`looked at ${lsn} ${sequence} ${entries.length}`);
  const least = Math.min(had, process.mustHave());
  mustHold(lsn >= least, "acknowledged-lost", () => {
    return `a read-only engine ends at LSN ${lsn}; up to LSN ${least} was acknowledged before it was opened`;
  });
  const after = [...timeline.possibleLogs()];
  const { now } = world.time;
  const differences = [...before, ...after].map((attempts) => differenceOf(seen.value, attempts, now));
  mustHold(differences.includes(undefined), "wrong-read", () => {
    return `a read-only engine at LSN ${lsn}, sequence ${sequence}: ${differences[0]}`;
  });
}

async function look({ openEngine, engineConfig }: World, disk: GatedDisk): Promise<Seen> {
  const engine = await openEngine({ ...engineConfig, readOnly: true }, disk);
  try {
    const entries: (readonly [string, string])[] = [];
    for await (const { key, value } of engine.scan()) entries.push([toText(key), toText(value)]);
    const count = await engine.count();
    const { lastLsn: lsn, lastSequence: sequence } = engine.stats();
    return { lsn, sequence, entries, count };
  } finally {
    await engine.close();
  }
}

function differenceOf(
  { lsn, sequence, entries, count }: Seen,
  attempts: readonly Attempt[],
  now: number,
): string | undefined {
  const { state: held, end } = stateAt({ lsn, sequence }, attempts);
  const state = seenAt(held, now);
  if (end.lsn !== lsn || end.sequence !== sequence)
    return `there was LSN ${end.lsn}, sequence ${end.sequence} attempted`;
  for (const [key, value] of entries) {
    const expected = state.get(key);
    if (expected !== value) return `${quote(key)} is ${quote(value)} and must be ${quote(expected)}`;
  }
  return entries.length === state.size && count === state.size
    ? undefined
    : `it has ${entries.length} entries, counts ${count}, and there were ${state.size}`;
}
