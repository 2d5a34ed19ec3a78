import { KayaError, type LogPosition, type Lsn, type SequenceNumber } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { isLogId, readRecordFile, type WalRecord } from "@kaya/wal";
import { quote, toText } from "./bytes.js";
import { deleteRange, isRange } from "./state.js";
import type { Attempt } from "./timeline.js";
import { mustHold, RuleBroken } from "./violation.js";

/** The checkpoint that an opening would begin with, read without the engine's own code. */
export interface FoundCheckpoint {
  readonly path: string;
  readonly bytes: number;
  readonly covered: LogPosition;
  /** In the file's order. */
  readonly entries: readonly FoundEntry[];
}

interface FoundEntry {
  readonly key: string;
  readonly value: string;
  readonly sequence: SequenceNumber;
}

const NAME = /^checkpoint\/([0-9a-f]{16})\.ckpt$/;

/** Undefined where the path is no checkpoint's. */
export function lsnOfCheckpoint(path: string): Lsn | undefined {
  const [, lsn] = NAME.exec(path) ?? [];
  return lsn === undefined ? undefined : Number.parseInt(lsn, 16);
}

/** The newest checkpoint on the disk, which must be whole whatever happened: it has its name. */
export async function findCheckpoint(
  disk: SimDisk,
  maxRecordBytes: number,
): Promise<FoundCheckpoint | undefined> {
  const file = (await disk.list("checkpoint")).findLast(({ path }) => lsnOfCheckpoint(path) !== undefined);
  if (file === undefined) return undefined;
  const { path, length: bytes } = file;
  const [first, ...rest] = await readRecords(disk, path, maxRecordBytes);
  const last = rest.pop();
  const covered = { lsn: lsnOfCheckpoint(path) ?? 0, sequence: first?.sequence ?? 0 };
  const isFramed = isLogIdRecord(first) && last?.payload.type === "noop";
  mustHold(
    isFramed && first.lsn === covered.lsn && last.lsn === first.lsn + rest.length + 1,
    "wrong-refusal",
    () => {
      return `${path} has its name and is no whole checkpoint`;
    },
  );
  return { path, bytes, covered, entries: rest.map((record) => entryOf(record, path)) };
}

async function readRecords(disk: SimDisk, path: string, maxRecordBytes: number): Promise<WalRecord[]> {
  const records: WalRecord[] = [];
  try {
    for await (const _ of readRecordFile(disk, path, maxRecordBytes, (record) => records.push(record))) {
    }
  } catch (error) {
    if (KayaError.is(error))
      throw new RuleBroken("wrong-refusal", `a checkpoint has its name and is not whole: ${error}`);
    throw error;
  }
  return records;
}

/** A checkpoint says first which log it is of. */
function isLogIdRecord(record: WalRecord | undefined): record is WalRecord {
  const payload = record?.payload;
  return payload?.type === "put" && toText(payload.key) === "log-id" && isLogId(toText(payload.value));
}

function entryOf({ payload, sequence }: WalRecord, path: string): FoundEntry {
  if (payload.type === "put") return { key: toText(payload.key), value: toText(payload.value), sequence };
  throw new RuleBroken("never-attempted", `${path} holds a record of type ${payload.type}`);
}

/** Where a checkpoint is not the state after the writes that it covers; undefined where it is. */
export function differenceOfCheckpoint(
  { path, covered, entries }: FoundCheckpoint,
  attempts: readonly Attempt[],
): string | undefined {
  const { state, end } = stateAt(covered, attempts);
  if (end.lsn !== covered.lsn || end.sequence !== covered.sequence) {
    const attempted = `LSN ${end.lsn}, sequence ${end.sequence}`;
    return `${path} covers LSN ${covered.lsn}, sequence ${covered.sequence}; there was ${attempted} attempted`;
  }
  let before: string | undefined;
  for (const { key, value, sequence } of entries) {
    const expected = state.get(key);
    if (expected?.value !== value || expected.sequence !== sequence) {
      return `${path} has ${quote(key)} = ${quote(value)} with sequence ${sequence}; must be ${JSON.stringify(expected)}`;
    }
    if (before !== undefined && before >= key) return `${path} has ${quote(key)} behind ${quote(before)}`;
    before = key;
  }
  return entries.length === state.size
    ? undefined
    : `${path} has ${entries.length} entries where there were ${state.size}`;
}

type SequencedState = Map<string, { readonly value: string; readonly sequence: SequenceNumber }>;

function stateAt(
  { lsn, sequence }: LogPosition,
  attempts: readonly Attempt[],
): { readonly state: SequencedState; readonly end: LogPosition } {
  const state: SequencedState = new Map();
  let end: LogPosition = { lsn: 0, sequence: 0 };
  for (const { firstLsn, lastLsn, firstSequence, lastSequence, changes } of attempts) {
    if (firstLsn > lsn) break;
    // Of a clear of several records perhaps only the first ones.
    end = lastLsn <= lsn ? { lsn: lastLsn, sequence: lastSequence } : { lsn, sequence };
    for (const [i, change] of changes.entries()) {
      if (firstSequence + i > end.sequence) break;
      if (isRange(change)) deleteRange(state, change);
      else if (change.value === undefined) state.delete(change.key);
      else state.set(change.key, { value: change.value, sequence: firstSequence + i });
    }
  }
  return { state, end };
}
