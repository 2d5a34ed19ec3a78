import type { SimDisk, WriteFaultRule } from "@kaya/io";
import type { LsmOptions } from "@kaya/lsm";
import { isGranted } from "./answers.js";
import type { Check } from "./check-run.js";
import { lsmCheck, mustRefuseDamage } from "./lsm-check.js";
import { LsmSession } from "./lsm-session.js";
import { checkTree, LATEST, type LsmFlush, type LsmOperation } from "./lsm-write.js";
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

/** Where faults strike: operations from the beginning on. */
interface Places {
  /** Of a flush or a compaction: open 0, append 1, sync 2 of the table, syncDir 3, append 4 and sync 5 of the manifest. */
  readonly edit: readonly number[];
  /** The same with a manifest that begins anew: open 4, truncate 5, append 6, sync 7, rename 8, syncDir 9 and 10. */
  readonly anew: readonly number[];
  /** Of an opening, which begins the manifest anew first of all. */
  readonly opening: readonly number[];
}

const SYNCS: Places = { edit: [2, 3, 5], anew: [2, 7, 9, 10], opening: [3, 5, 6] };
const OTHERS: Places = { edit: [0, 1, 4], anew: [1, 4, 6, 8], opening: [0, 2, 4, 7] };

/** One table at a time, so that the places are known. */
const ONE_TABLE: LsmOptions = { autoCompact: false, tableBytes: 50_000, manifestBytes: 50_000 };

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
    of("puts that expire while time goes on", letExpire),
    of("crashed and killed inside", crashInside),
    of("a log that is staged while it is opened", stageAndOpen, ONE_TABLE),
    of("damage that no crash makes", flushAndCompact, { autoCompact: false }, checkDamage),
    ...FAULTS.map(([name, fault]) =>
      of(`${name} in a flush or compaction`, (session, disk) => failOnce(session, disk, fault), ONE_TABLE),
    ),
    ...UNCERTAIN.map(([name, fault]) =>
      of(
        `${name} in an opening that stages, and another in the next`,
        (session, disk) => failStaging(session, disk, fault),
        ONE_TABLE,
      ),
    ),
    ...UNCERTAIN.flatMap(([name, fault]) => [
      of(
        `${name} and another in what follows`,
        (session, disk) => failTwice(session, disk, fault),
        ONE_TABLE,
      ),
      of(
        `${name} of a compaction's edit and another in the opening behind it`,
        (session, disk) => failAndEnd(session, disk, fault),
        ONE_TABLE,
      ),
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
  session.write({ type: "delete", key: key(5) }, { type: "delete", key: key(12) });
  await mustBeDone(session.flush());
  await session.tree.settled();
  await session.check("with a table of tombstones");
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

/** Puts that expire over older ones that do not, and the reverse, and some that expire after the last look. */
async function letExpire(session: LsmSession): Promise<void> {
  for (let round = 0; round < 4; round++) {
    session.now = 1 + 100 * round;
    session.write(...someWrites(round));
    for (let n = 0; n < 8; n++) {
      const expiresAt = n === 7 ? 2 * LATEST : session.now + 70 * n;
      session.write({ type: "put", key: key(round * 7 + n * 5), value: `until ${expiresAt}`, expiresAt });
    }
    await mustBeDone(session.flush());
    await session.tree.settled();
    session.tree.lookForExpired();
    await session.tree.settled();
    await session.check(`in round ${round}`);
    if (round !== 1) continue;
    const snapshot = session.tree.snapshot();
    const [operations, now] = [session.operations, session.now];
    session.now += 50;
    await session.tree.compact();
    await checkTree(snapshot, operations, "in a snapshot, at its own time", now);
    snapshot.release();
    await session.close();
    await session.open();
  }
  session.now = LATEST;
  session.tree.lookForExpired();
  await session.tree.settled();
  await session.tree.compact();
  await session.check("at the end");
  const expiring = session.tree.stats().levels.reduce((sum, level) => sum + level.expiring, 0);
  if (expiring === 0 || expiring > 7) throw new Error(`${expiring} entries that expire are left`);
  await session.close();
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

/** Writes after the last flush are only in the log. */
async function stageAndOpen(session: LsmSession): Promise<void> {
  for (let round = 0; round < 3; round++) {
    session.write(...someWrites(round));
    await mustBeDone(session.flush());
    session.write(...someWrites(round + 10), ...someWrites(round + 20));
    if (round === 1) session.crash({ survive: "random", seed: round });
    else session.kill();
    await mustBeDone(session.openStaging());
    await session.check("opened, with tables that were staged");
    await session.tree.compact();
  }
}

/** Three tables take 9 operations, the manifest 7, and what is published 7 more. */
const STAGING_OPERATIONS = 23;

async function failStaging(session: LsmSession, disk: SimDisk, fault: Fault): Promise<void> {
  let met = 0;
  const first = fault.kind === "fsync-failed" ? 2 : 0; // every third operation of the stages is a sync
  for (let place = first; place < STAGING_OPERATIONS; place += 3) {
    session.write(...someWrites(place), ...someWrites(place + 1));
    session.kill();
    for (const each of [place, place + 1]) {
      const at = disk.nextOperation + each;
      disk.addFault({ ...fault, at });
      if (await session.openStaging()) await session.close();
      if (isMet(disk, at)) met++;
    }
    await openInTheEnd(session);
    await session.check(`opened, with faults from operation ${place} on`);
  }
  mustHaveMet(met, 3);
}

async function failOnce(session: LsmSession, disk: SimDisk, fault: Fault): Promise<void> {
  await flushSome(session, 0);
  const { edit } = placesOf(fault);
  let met = 0;
  for (const place of edit) {
    if (
      await failIn(session, disk, { ...fault, at: disk.nextOperation + place }, () =>
        flushSome(session, place),
      )
    )
      met++;
    await flushSome(session, place + 10);
    if (
      await failIn(session, disk, { ...fault, at: disk.nextOperation + place }, () => session.tree.compact())
    )
      met++;
    await session.tree.compact();
    await session.check(`with faults at operation ${place}`);
  }
  mustHaveMet(met, edit.length + 1); // a file that is removed meanwhile takes an operation
}

/** The second fault is in what the first one made necessary. */
async function failTwice(session: LsmSession, disk: SimDisk, fault: Fault): Promise<void> {
  await flushSome(session, 0);
  const { edit, anew } = placesOf(fault);
  const last = edit.at(-1) ?? 0;
  let met = 0;
  for (const [index, place] of anew.entries()) {
    const flush = () => flushSome(session, index);
    if (await failIn(session, disk, { ...fault, at: disk.nextOperation + last }, flush)) met++;
    if (await failIn(session, disk, { ...fault, at: disk.nextOperation + place }, flush)) met++;
    await flush();
    await session.check(`with faults at operations ${last} and ${place}`);
  }
  mustHaveMet(met, 2 * anew.length);
}

/** The next opening reads back an edit that a compaction could not make durable, and a fault ends that opening too. */
async function failAndEnd(session: LsmSession, disk: SimDisk, fault: Fault): Promise<void> {
  const { edit, opening } = placesOf(fault);
  const last = edit.at(-1) ?? 0;
  let met = 0;
  for (const [index, place] of opening.entries()) {
    await flushSome(session, index);
    await flushSome(session, index + 10);
    const compact = () => session.tree.compact();
    if (await failIn(session, disk, { ...fault, at: disk.nextOperation + last }, compact)) met++;
    session.kill();
    disk.addFault({ ...fault, at: disk.nextOperation + place });
    await openInTheEnd(session);
    await session.check(`read back, with a fault at operation ${place} of the opening`);
  }
  mustHaveMet(met, 1);
}

async function flushSome(session: LsmSession, round: number): Promise<void> {
  session.write(...someWrites(round));
  await session.flush();
}

/** True where the fault was met. */
async function failIn(
  session: LsmSession,
  disk: SimDisk,
  fault: WriteFaultRule,
  run: () => Promise<unknown>,
): Promise<boolean> {
  disk.addFault(fault);
  await isGranted(run());
  await session.check(`with a fault at operation ${fault.at}`);
  return isMet(disk, fault.at);
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
  mustHaveMet(met, opening.length);
}

/** A fault that an earlier opening did not get to may still wait. */
async function openInTheEnd(session: LsmSession): Promise<void> {
  for (let n = 0; n < 2; n++) if (await isGranted(session.open())) return;
  await session.open();
}

function isMet(disk: SimDisk, at: number): boolean {
  return disk.events.some(({ index, error }) => index === at && error !== undefined);
}

function mustHaveMet(count: number, least: number): void {
  if (count < least) throw new UnmetFaultError(`${count} operations met the fault, not ${least}`);
}

async function mustBeDone(done: Promise<boolean>): Promise<void> {
  if (!(await done)) throw new Error("a flush was refused, and no fault had struck");
}
