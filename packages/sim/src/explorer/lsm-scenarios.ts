import type { SimDisk, WriteFaultRule } from "@kaya/io";
import type { LsmOptions } from "@kaya/lsm";
import { isGranted } from "./answers.js";
import type { Check } from "./check-run.js";
import { lsmCheck, mustRefuseDamage } from "./lsm-check.js";
import { LsmSession } from "./lsm-session.js";
import { checkTree, type LsmFlush, type LsmOperation } from "./lsm-write.js";
import { type Scenario, scenario } from "./scenario.js";
import { UnmetFaultError } from "./unmet-fault.js";

type Live = (session: LsmSession, disk: SimDisk) => Promise<void>;

/** A fault without its place. */
type Fault = WriteFaultRule extends infer R ? (R extends { at: number } ? Omit<R, "at"> : never) : never;

const FAULTS: readonly (readonly [name: string, fault: Fault])[] = [
  ["a full disk", { kind: "disk-full" }],
  ["a write that stops after 60 bytes", { kind: "partial-write", bytes: 60 }],
  ["an I/O error", { kind: "io-error" }],
  ["an I/O error of what was done", { kind: "io-error", outcome: "kept" }],
  ["a failed fsync", { kind: "fsync-failed", outcome: "readable-until-crash" }],
  ["a failed fsync that reached the disk", { kind: "fsync-failed", outcome: "kept" }],
  ["a failed fsync that lost its bytes", { kind: "fsync-failed", outcome: "lost" }],
];

/** Those that leave open what is on the disk. */
const UNCERTAIN = FAULTS.filter(([, fault]) => "outcome" in fault);

/** Where faults strike: operations from the beginning on of a flush with a compaction behind it, of a flush whose edit begins the manifest anew, and of an opening. */
interface Places {
  readonly flush: readonly number[];
  readonly anew: readonly number[];
  readonly opening: readonly number[];
}

const SYNCS: Places = { flush: [2, 3, 5, 8, 9, 11], anew: [2, 3, 7, 9, 10], opening: [3, 5, 6] };
const OTHERS: Places = { flush: [0, 1, 4, 6, 7, 10], anew: [0, 1, 4, 5, 6, 8], opening: [0, 2, 4, 7] };
const LEAST_MET = 2;

function placesOf({ kind }: Fault): Places {
  return kind === "fsync-failed" ? SYNCS : OTHERS;
}

/** What @kaya/lsm promises: flush, compaction, the manifest's turn-over and the opening, with one fault and with two. */
export function lsmScenarios(): Scenario[] {
  const check = lsmCheck();
  const of = (name: string, live: Live, options?: LsmOptions, checked: Check<LsmFlush> = check) =>
    scenario<LsmFlush>(`lsm: ${name}`, {
      workload: async (disk, history) => {
        const session = new LsmSession(disk, history, options);
        await session.open();
        await live(session, disk);
      },
      check: checked,
    });
  const checkDamage: Check<LsmFlush> = async (disk, view, recovered) => {
    await mustRefuseDamage(disk);
    await check(disk, view, recovered);
  };
  return [
    of("two flushes", flushTwice, { autoCompact: false }),
    of("flushes with compactions behind them", flushAndCompact),
    of("a manifest that begins anew often", flushAndCompact, { manifestBytes: 0 }),
    of("snapshots over compactions", holdSnapshots, { autoCompact: false }),
    of("crashed and killed inside", crashInside),
    of("damage that no crash makes", flushAndCompact, { autoCompact: false }, checkDamage),
    ...FAULTS.map(([name, fault]) =>
      of(`${name} in a flush or compaction`, (session, disk) => failOnce(session, disk, fault)),
    ),
    ...UNCERTAIN.flatMap(([name, fault]) => [
      of(`${name} and another in what follows`, (session, disk) => failTwice(session, disk, fault)),
      of(`${name} in the opening`, (session, disk) => failOpening(session, disk, fault)),
    ]),
  ];
}

const key = (n: number) => `k${String(n % 40).padStart(2, "0")}`;
const long = (length: number) => "x".repeat(length);

/** Puts over old keys and new ones, deletions, and now and then a range. */
function someWrites(round: number): LsmOperation[] {
  const operations: LsmOperation[] = [];
  for (let n = 0; n < 6; n++)
    operations.push({ type: "put", key: key(round * 5 + n * 7), value: `${round} ${long((n * 37) % 90)}` });
  operations.push({ type: "delete", key: key(round * 3 + 1) });
  if (round % 4 === 2) {
    const [start, end] = [key(round * 5), key(round * 5 + 9)].sort() as [string, string];
    operations.push({ type: "delete-range", start, end });
    operations.push({ type: "put", key: start, value: `behind ${round}` });
  }
  if (round % 7 === 6) operations.push({ type: "delete-range", start: key(30) });
  return operations;
}

/** Short, so that each torn write of an edit can be looked at. Its long keys make edits that lie in two sectors. */
async function flushTwice(session: LsmSession): Promise<void> {
  for (let round = 0; round < 2; round++) {
    session.write(...someWrites(round));
    for (const begin of ["a", "z"]) session.write({ type: "put", key: begin + long(180), value: `${round}` });
    await mustBeDone(session.flush());
  }
}

async function flushAndCompact(session: LsmSession): Promise<void> {
  for (let round = 0; round < 7; round++) {
    session.write(...someWrites(round));
    await mustBeDone(session.flush());
    if (round === 3) {
      await session.close();
      await session.open();
    }
  }
  await session.tree.settled();
  session.write({ type: "delete-range", start: "" }, { type: "put", key: "k00", value: "alone" });
  await mustBeDone(session.flush());
  await session.tree.settled();
  await session.check("at the end");
  await session.close();
}

async function holdSnapshots(session: LsmSession): Promise<void> {
  const held: {
    snapshot: ReturnType<LsmSession["tree"]["snapshot"]>;
    operations: readonly LsmOperation[];
  }[] = [];
  for (let round = 0; round < 6; round++) {
    session.write(...someWrites(round));
    await mustBeDone(session.flush());
    held.push({ snapshot: session.tree.snapshot(), operations: session.operations });
    if (round % 2 === 1) await session.tree.compact();
  }
  for (const [round, { snapshot, operations }] of held.entries()) {
    await checkTree(snapshot, operations, `in the snapshot of round ${round}`);
    snapshot.release();
  }
  await session.check("at the end");
}

async function crashInside(session: LsmSession, disk: SimDisk): Promise<void> {
  for (let round = 0; round < 6; round++) {
    session.write(...someWrites(round));
    await session.flush();
    session.write(...someWrites(round + 10));
    const end = disk.nextOperation + 3 + 4 * round;
    const flushing = session.flush();
    while (disk.nextOperation < end && session.tree.stats().isCompacting) await new Promise(setImmediate);
    if (round % 2 === 0) session.kill();
    else session.crash({ survive: "random", seed: round });
    await flushing; // refused, or done before the end
    await session.open();
    await session.check("after the end");
  }
}

async function failOnce(session: LsmSession, disk: SimDisk, fault: Fault): Promise<void> {
  let met = 0;
  for (const place of placesOf(fault).flush) {
    if (await flushWithFault(session, disk, fault, place)) met++;
  }
  mustHaveMet(met);
  session.write(...someWrites(0));
  await session.flush();
  await session.check("at the end");
}

/** The second fault is in what the first one made necessary. */
async function failTwice(session: LsmSession, disk: SimDisk, fault: Fault): Promise<void> {
  const { flush, anew } = placesOf(fault);
  let met = 0;
  for (const [index, place] of flush.entries()) {
    const isFirstMet = await flushWithFault(session, disk, fault, place);
    const isSecondMet = await flushWithFault(session, disk, fault, anew[index % anew.length] ?? 0);
    if (isFirstMet && isSecondMet) met++;
    if (index % 2 === 0) continue;
    session.kill(); // what was uncertain is read back
    await openInTheEnd(session);
  }
  mustHaveMet(met);
}

/** True where the fault was met. */
async function flushWithFault(
  session: LsmSession,
  disk: SimDisk,
  fault: Fault,
  place: number,
): Promise<boolean> {
  session.write(...someWrites(place + session.operations.length));
  const at = disk.nextOperation + place;
  disk.addFault({ ...fault, at });
  await session.flush();
  await isGranted(session.tree.settled());
  await session.check(`with a fault at operation ${at}`);
  return isMet(disk, at);
}

async function failOpening(session: LsmSession, disk: SimDisk, fault: Fault): Promise<void> {
  const { opening } = placesOf(fault);
  let met = 0;
  for (const [index, place] of opening.entries()) {
    session.write(...someWrites(place));
    await session.flush();
    if (index % 2 === 0) session.kill();
    else await session.close();
    for (const each of [place, opening[(index + 1) % opening.length] ?? 0]) {
      const at = disk.nextOperation + each;
      disk.addFault({ ...fault, at });
      const isOpen = await isGranted(session.open());
      if (isMet(disk, at)) met++;
      if (isOpen) await session.close();
    }
    await openInTheEnd(session);
    await session.check(`opened, with faults from operation ${place} on`);
  }
  mustHaveMet(met);
}

/** A fault that an earlier opening did not get to may still wait. */
async function openInTheEnd(session: LsmSession): Promise<void> {
  for (let n = 0; n < 2; n++) if (await isGranted(session.open())) return;
  await session.open();
}

function isMet(disk: SimDisk, at: number): boolean {
  return disk.events.some(({ index, error }) => index === at && error !== undefined);
}

function mustHaveMet(count: number): void {
  if (count < LEAST_MET) throw new UnmetFaultError(`${count} operations met the fault, not ${LEAST_MET}`);
}

async function mustBeDone(done: Promise<boolean>): Promise<void> {
  if (!(await done)) throw new Error("a flush was refused, and no fault had struck");
}
