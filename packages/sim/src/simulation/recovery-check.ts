import { KayaError, type LogPosition, type Lsn, type SequenceNumber } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import { recoverWal, type WalRecord } from "@kaya/wal";
import { quote, toText } from "./bytes.js";
import { differenceOfTables, type FoundTables, findTables } from "./found-tables.js";
import { type Change, isRange, isSameChange } from "./state.js";
import type { Attempt } from "./timeline.js";
import { mustHold, RuleBroken } from "./violation.js";
import type { World } from "./world.js";

const LOG_START: LogPosition = { lsn: 0, sequence: 0 };

/** The tables, and the log behind them, as a recovery would find them. */
export interface FoundLog {
  readonly lsn: Lsn;
  readonly sequence: SequenceNumber;
  readonly tables: FoundTables | undefined;
  /** Bytes behind the last record. */
  readonly cutBytes: number;
  /** Its records, and those that may be behind it. */
  readonly attempts: readonly Attempt[];
}

/**
 * Looks at the log as a recovery would find it: acknowledged ⊆ found ⊆ attempted, as a prefix, record by record. A dry run
 * of recovery reads it, past the gate and without a change.
 * @param mustHave everything up to here was acknowledged and may not be gone
 */
export async function checkLog(world: World, mustHave: Lsn): Promise<FoundLog> {
  const { disk, timeline } = world;
  const { maxRecordBytes, segmentMaxBytes } = world.config;
  const tables = await findTables(disk);
  const after = tables?.covered ?? LOG_START;
  const options = { dryRun: true, after };
  const report = await recoverWal({ maxRecordBytes, segmentMaxBytes }, disk, options).catch(refused);
  const records = report.records.map(({ record }) => record);
  const {
    lastLsn: lsn = after.lsn,
    lastSequence: sequence = after.sequence,
    truncatedBytes: cutBytes,
  } = report;
  mustHold(lsn >= mustHave, "acknowledged-lost", () => {
    return `the log ends at LSN ${lsn}; up to LSN ${mustHave} was acknowledged: ${lossOf(world, lsn)}`;
  });
  const differences: string[] = [];
  for (const attempts of timeline.possibleLogs()) {
    const difference =
      (tables && differenceOfTables(tables, attempts, world.time.now)) ??
      differenceOf(records, attempts, after);
    if (difference === undefined) return { lsn, sequence, tables, cutBytes, attempts };
    differences.push(difference);
  }
  throw new RuleBroken("never-attempted", differences[0] ?? "");
}

// A crash leaves nothing that recovery in mode `tail` may refuse.
function refused(error: unknown): never {
  if (KayaError.is(error))
    throw new RuleBroken("wrong-refusal", `recovery refuses what a crash left: ${error}`);
  throw error;
}

function lossOf({ timeline, disk }: World, lastLsn: Lsn): string {
  const lost = timeline.attempts().find((attempt) => attempt.lastLsn > lastLsn);
  const changes = lost?.changes.map(describe).join(", ");
  return `LSN ${lost?.firstLsn} (${changes}) is lost before operation ${disk.nextOperation} of the disk`;
}

interface RecoveryFacts {
  readonly mustHave: Lsn;
  /** The disk was full while it was opened: then the tail may still have to be made durable. */
  readonly mayLackRoom: boolean;
  /** By the tables, before it was opened: a log that is too long for a memtable becomes tables. */
  readonly covered: LogPosition;
}

/**
 * Checks an engine that was just opened: its log and its report of it. The model goes on from there.
 */
export async function checkRecovery(
  engine: Engine,
  world: World,
  { mustHave, mayLackRoom, covered: after }: RecoveryFacts,
): Promise<void> {
  const found = await checkLog(world, mustHave);
  const {
    lastLsn: lsn = after.lsn,
    lastSequence: sequence = after.sequence,
    ...report
  } = engine.lastRecovery;
  const { state, pendingBytes, ...stats } = engine.stats();
  const { durableLsn } = stats;
  mustBeAlike({ lsn, sequence }, { lsn: found.lsn, sequence: found.sequence }, "lastRecovery beside the log");
  mustBeAlike(
    { lsn: stats.lastLsn, sequence: stats.lastSequence, state, pendingBytes },
    { lsn, sequence, state: "open", pendingBytes: 0 },
    "stats() right after opening",
  );
  mustBeAlike(
    { recordCount: report.recordCount, dryRun: report.dryRun },
    { recordCount: lsn - after.lsn, dryRun: false },
    "lastRecovery",
  );
  await checkSizes(engine, world, after);
  const isFinished = durableLsn === lsn && found.cutBytes === 0;
  mustHold(isFinished || mayLackRoom, "wrong-account", () => {
    return `opened at LSN ${lsn}, durable is ${durableLsn}, and ${found.cutBytes} bytes are still to be cut`;
  });
  // A durable log may have an end that is not durable yet.
  if (found.attempts !== world.timeline.attempts()) world.timeline.settleOn(found.attempts);
  world.timeline.recoverTo(lsn, sequence, isFinished && !mayLackRoom);
  world.timeline.makeDurable(durableLsn);
}

/** What the opening found and left on the disk, and what the engine says of both. */
async function checkSizes(engine: Engine, { disk }: World, before: LogPosition): Promise<void> {
  const { segments, validBytes, tables } = engine.lastRecovery;
  const { wal } = engine.stats();
  const files = (await disk.list("wal")).filter(({ path }) => path.endsWith(".wal"));
  mustBeAlike({ segments: wal.segments }, { segments: files.length }, "stats() beside the disk");
  // Covered segments were dropped after they were counted.
  const hasDropped = tables.covered.lsn > 0 && segments > wal.segments && validBytes >= wal.bytes;
  if (!hasDropped)
    mustBeAlike(
      { segments, bytes: validBytes },
      { segments: wal.segments, bytes: wal.bytes },
      "lastRecovery beside stats()",
    );
  const { covered } = engine.stats().tables;
  mustHold(tables.covered.lsn >= before.lsn && tables.covered.lsn <= covered.lsn, "wrong-account", () => {
    return `lastRecovery says that the tables cover LSN ${tables.covered.lsn}; it was ${before.lsn} before, and is ${covered.lsn}`;
  });
  const unknown = tables.warnings.filter(({ kind }) => kind === "UnknownFile");
  mustBeAlike({ unknown }, { unknown: [] }, "lastRecovery");
}

/** Where the records are not a prefix of what was attempted; undefined where they are. */
function differenceOf(
  records: readonly WalRecord[],
  attempts: readonly Attempt[],
  after: LogPosition,
): string | undefined {
  let next = attempts.filter(({ lastLsn }) => lastLsn <= after.lsn).length;
  for (const record of records) {
    const attempt = attempts[next];
    if (attempt === undefined) {
      return `the log holds LSN ${record.lsn}; what was written and not taken back ends before it`;
    }
    if (!isRecordOf(record, attempt)) {
      const [is, should] = [changesOf(record), attempt.changes].map((changes) =>
        changes.map(describe).join(", "),
      );
      return `LSN ${record.lsn} holds ${is}; attempted at LSN ${attempt.firstLsn} was ${should}`;
    }
    if (record.lsn === attempt.lastLsn) next++;
  }
  return undefined;
}

/** Whether a record is that attempt, or a part of it that has one record of several. */
export function isRecordOf(record: WalRecord, attempt: Attempt): boolean {
  const found = changesOf(record);
  const first = record.sequence - attempt.firstSequence;
  const isWhole = attempt.firstLsn === attempt.lastLsn;
  const expected = isWhole ? attempt.changes : attempt.changes.slice(first, first + found.length);
  return (
    record.lsn >= attempt.firstLsn &&
    (isWhole ? first === 0 : first >= 0) &&
    found.length === expected.length &&
    found.every((change, i) => isSameChange(change, expected[i] as Change))
  );
}

function changesOf({ payload }: WalRecord): Change[] {
  if (payload.type === "noop") return [];
  const operations = payload.type === "batch" ? [...payload.operations] : [payload];
  return operations.map((operation) => {
    if (operation.type === "deleteRange")
      return { start: toText(operation.start), end: operation.end && toText(operation.end) };
    const key = toText(operation.key);
    if (operation.type === "delete") return { key, value: undefined };
    return { key, value: toText(operation.value), expiresAt: operation.expiresAt };
  });
}

function mustBeAlike(found: object, expected: object, what: string): void {
  const [is, should] = [JSON.stringify(found), JSON.stringify(expected)];
  mustHold(is === should, "wrong-account", () => `${what}: ${is} and not ${should}`);
}

function describe(change: Change): string {
  if (isRange(change)) return `delete from ${quote(change.start)} to ${quote(change.end)}`;
  const { key, value, expiresAt } = change;
  if (value === undefined) return `delete ${quote(key)}`;
  return `${quote(key)} = ${quote(value)}${expiresAt === undefined ? "" : ` until ${expiresAt}`}`;
}
