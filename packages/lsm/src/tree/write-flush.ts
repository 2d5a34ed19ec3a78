import { setImmediate } from "node:timers/promises";
import { KayaError, type SequenceNumber } from "@kaya/core";
import type { OutputTable } from "../compaction/output-table.js";
import { type EntryKind, EXPIRING, type RangeTombstone, TOMBSTONE } from "../entry.js";
import type { TableMeta } from "../manifest/manifest-state.js";

/** An entry that is flushed. Its bytes are not needed after the next one was asked for. */
export interface FlushEntry {
  /** The key of the entry. */
  readonly key: Uint8Array;
  /** What the entry does to its key. */
  readonly kind: EntryKind;
  /** The sequence of the write that made the entry. */
  readonly sequence: SequenceNumber;
  /** The value of the entry; empty for a tombstone. */
  readonly value: Uint8Array;
  /**
   * When an `EXPIRING` entry expires: whole milliseconds since 1970, from 1 to 2^53 - 1. Such an entry needs
   * it.
   */
  readonly expiresAt?: number;
}

/** What is flushed: what came since the last flush, and nothing older. */
export interface FlushSource {
  /** In key order, each key once. */
  readonly entries: Iterable<FlushEntry> | AsyncIterable<FlushEntry>;
  /** In any order. */
  readonly rangeTombstones?: Iterable<RangeTombstone>;
}

/** The sequences that a flush may have: above those that the tables have, up to what it covers. */
export interface SequenceBounds {
  readonly above: SequenceNumber;
  readonly upTo: SequenceNumber;
}

const NO_VALUE = new Uint8Array(0);

/** Bytes of keys and values written before the event loop turns: a millisecond or two. */
const STEP_BYTES = 64 * 1024;

/**
 * Writes a flush into one table; undefined if there is nothing to write. The file's bytes are then durable, its name is not. If it fails it
 * removes the file.
 * @param now milliseconds since 1970: an entry that has expired by then is written as a tombstone
 * @param create called once there is something to write
 * @throws KayaError KAYA_INVALID_ARGUMENT for sequences out of bounds, and keys out of order; KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO
 */
export async function writeFlush(
  { entries, rangeTombstones = [] }: FlushSource,
  bounds: SequenceBounds,
  now: number,
  create: () => Promise<OutputTable>,
): Promise<TableMeta | undefined> {
  let output: OutputTable | undefined;
  let bytes = 0;
  const add = (entry: FlushEntry): Promise<void> | void => {
    // Read once each: a cursor makes views on access.
    const { key, sequence } = entry;
    let { kind, value } = entry;
    checkSequence(sequence, bounds);
    bytes += key.length + value.length;
    const expiresAt = kind === EXPIRING ? (entry.expiresAt ?? 0) : 0;
    // The table reports an invalid time.
    if (Number.isSafeInteger(expiresAt) && expiresAt > 0 && expiresAt <= now)
      [kind, value] = [TOMBSTONE, NO_VALUE];
    if (output === undefined || bytes >= STEP_BYTES)
      return addAfterRest(key, kind, sequence, value, expiresAt);
    return output.add(key, kind, sequence, value, expiresAt);
  };
  const addAfterRest = async (...entry: Parameters<OutputTable["add"]>): Promise<void> => {
    if (bytes >= STEP_BYTES) await setImmediate(); // lets the event loop turn
    bytes = 0;
    output ??= await create();
    await output.add(...entry);
  };
  try {
    await forEach(entries, add);
    for (const tombstone of rangeTombstones) {
      checkSequence(tombstone.sequence, bounds);
      output ??= await create();
      output.addRangeTombstone(tombstone);
    }
    return await output?.finish();
  } catch (error) {
    await output?.abandon().catch(() => undefined); // the next opening removes it
    throw error;
  }
}

/** Waits only if needed: a promise for each entry would take longer than the entry. */
async function forEach(
  entries: FlushSource["entries"],
  add: (entry: FlushEntry) => Promise<void> | void,
): Promise<void> {
  if (Symbol.asyncIterator in entries) {
    for await (const entry of entries) await add(entry);
    return;
  }
  for (const entry of entries) {
    const added = add(entry);
    if (added !== undefined) await added;
  }
}

function checkSequence(sequence: SequenceNumber, { above, upTo }: SequenceBounds): void {
  if (sequence > above && sequence <= upTo) return;
  throw invalid(
    `what is flushed has sequence ${sequence}: it must be above ${above}, which the tables have, and at most ${upTo}, which the flush covers`,
  );
}

/** @throws KayaError KAYA_INVALID_ARGUMENT where `to` is before `from` */
export function checkCovers(
  from: { readonly lsn: number; readonly sequence: number },
  to: { readonly lsn: number; readonly sequence: number },
): void {
  if (to.lsn >= from.lsn && to.sequence >= from.sequence) return;
  throw invalid(
    `a flush covers LSN ${to.lsn} and sequence ${to.sequence}, and the tables have ${from.lsn} and ${from.sequence} already`,
  );
}

function invalid(message: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", `${message}.`);
}
