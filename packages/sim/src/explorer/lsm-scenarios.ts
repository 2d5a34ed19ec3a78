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

/** Some of the operations from the beginning of a flush on: of the flush, the manifest and the compaction behind it. */
const PLACES = [0, 1, 2, 3, 5, 6, 7, 9, 12, 15];
const LEAST_MET = 3;

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

async function flushAndCompact(session: LsmSession): Promise<void> {
  for (let round = 0; round < 9; round++) {
    session.write(...someWrites(round));
    await mustBeDone(session.flush());
    if (round === 4) {
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
  const met = new Set<number>();
  for (const place of PLACES) {
    session.write(...someWrites(place));
    const at = disk.nextOperation + place;
    disk.addFault({ ...fault, at });
    await session.flush();
    await isGranted(session.tree.settled());
    await session.check(`with a fault at operation ${place}`);
    if (isMet(disk, at)) met.add(place);
  }
  mustHaveMet(met.size);
  await session.flush();
  await session.check("at the end");
}

/** The second fault is in what the first one made necessary. */
async function failTwice(session: LsmSession, disk: SimDisk, fault: Fault): Promise<void> {
  let met = 0;
  for (const place of [0, 2, 4, 5, 7, 9]) {
    session.write(...someWrites(place));
    const first = disk.nextOperation + place;
    disk.addFault({ ...fault, at: first });
    await session.flush();
    await isGranted(session.tree.settled());
    session.write(...someWrites(place + 20));
    const second = disk.nextOperation + ((place * 5) % 11);
    disk.addFault({ ...fault, at: second });
    await session.flush();
    await isGranted(session.tree.settled());
    await session.check(`with faults from operation ${place} on`);
    if (isMet(disk, first) && isMet(disk, second)) met++;
    if (place % 3 !== 1) continue;
    session.kill(); // what was uncertain is read back
    await session.open();
  }
  if (met === 0) throw new UnmetFaultError("no two faults were met");
}

async function failOpening(session: LsmSession, disk: SimDisk, fault: Fault): Promise<void> {
  let met = 0;
  for (let place = 0; place < 5; place++) {
    session.write(...someWrites(place));
    await session.flush();
    if (place % 3 === 0) session.kill();
    else await session.close();
    for (const at of [disk.nextOperation + place, disk.nextOperation + place + 4]) {
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
