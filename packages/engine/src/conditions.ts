import { describe, KayaError, type Lsn, readInput, type SequenceNumber } from "@kaya/core";
import type { Found } from "@kaya/lsm";
import type { PendingChange, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "./apply.js";
import { type Bytes, invalid, toBytes } from "./input.js";
import { ABSENT, aliveAt, type KeyState, stateOfFound } from "./store/key-state.js";

/**
 * What must hold for a key when a batch is written. The result of `getEntry` is one: the key is still as it was
 * read.
 */
export interface BatchCondition {
  /** The key to check. The batch need not write it. */
  readonly key: Bytes;
  /**
   * The sequence of the write that made the value, as `getEntry` and `WriteResult` have it; undefined: the key
   * must be absent.
   */
  readonly sequence: SequenceNumber | undefined;
}

export interface CheckedCondition {
  readonly key: Uint8Array;
  readonly sequence: SequenceNumber | undefined;
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function toConditions(conditions: readonly BatchCondition[] | undefined): readonly CheckedCondition[] {
  if (conditions === undefined) return [];
  return readInput("the conditions of a batch", () => {
    if (!Array.isArray(conditions))
      throw invalid(`the conditions of a batch must be an array, not ${describe(conditions)}`);
    return Array.from(conditions, toCondition);
  });
}

function toCondition(condition: BatchCondition): CheckedCondition {
  if (typeof condition !== "object" || condition === null)
    throw invalid(
      `a condition must be an object with a \`key\` and a \`sequence\`, not ${describe(condition)}`,
    );
  const key = toBytes(condition.key, "key of a condition");
  // Own properties: with a polluted Object.prototype "absent" would have a sequence. Without it a misspelt name would mean "absent".
  if (!Object.hasOwn(condition, "sequence"))
    throw invalid(
      `the condition for the key ${showKey(key)} has no \`sequence\`: give the one that \`getEntry\` read, or \`sequence: undefined\` if the key must be absent`,
    );
  const { sequence } = condition;
  if (sequence === undefined || isSequence(sequence)) return { key, sequence };
  throw invalid(
    `the \`sequence\` of the condition for the key ${showKey(key)} must be a whole number >= 1, or undefined if the key must be absent, ` +
      `not ${describe(sequence)}`,
  );
}

function isSequence(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

/** What a condition found in its way. */
export interface Conflict {
  readonly key: Uint8Array;
  readonly error: KayaError;
  /** The write under way that broke it; undefined where that is applied. */
  readonly ahead: PendingChange | undefined;
}

interface Keyed {
  readonly key: Uint8Array;
}

/** What the tables have of some keys: of one version, which covers the log up to `covered`. */
export interface OnDisk {
  readonly covered: Lsn;
  /** Of each key, by its index, whatever the time. */
  readonly found: readonly (Found | undefined)[];
}

/**
 * Looks in the tables for those keys that no memtable has; where each key is in one, or is written by what is queued ahead, they are not
 * asked. It gives a promise where a block must be read: then look at what came meanwhile
 * once it has resolved (`findConflict`), and look again where the tables cover more of the log by then.
 * @throws KayaError KAYA_CORRUPTION, KAYA_IO
 */
export function readOnDisk(
  keys: readonly Keyed[],
  { store }: AppliedLog,
  wal: Pick<WalWriter<unknown>, "pendingChange">,
): OnDisk | Promise<OnDisk> {
  const covered = store.tables.covered.lsn;
  const isKnown = ({ key }: Keyed) =>
    store.stateInMemory(key) !== undefined || wal.pendingChange(key) !== undefined;
  // Only in this turn: what is queued may be taken back while a block is read.
  if (keys.every(isKnown)) return { covered, found: [] };
  let isReading = false;
  // All of them begin in this turn, with the same version of the tables.
  const found = keys.map(({ key }) => {
    if (store.stateInMemory(key) !== undefined) return undefined;
    const each = store.tables.find(key);
    if (each instanceof Promise) isReading = true;
    return each;
  });
  if (!isReading) return { covered, found: found as (Found | undefined)[] };
  return Promise.all(found).then((all) => ({ covered, found: all }));
}

/** The same with synchronous reads, where nothing is queued ahead. @throws KayaError KAYA_CORRUPTION, KAYA_IO */
export function readOnDiskSync(keys: readonly Keyed[], { store }: AppliedLog): OnDisk {
  const find = ({ key }: Keyed) =>
    store.stateInMemory(key) === undefined ? store.tables.getSync(key) : undefined;
  return { covered: store.tables.covered.lsn, found: keys.map(find) };
}

/**
 * Whether conditions hold for what is written next, in commit order: the last write to a key that is queued ahead counts, else what a
 * memtable has, else what a table has. A key that has expired by now is absent, a write under way included.
 * @param onDisk of the tables as they are now
 * @param now asked where a key expires
 * @returns undefined where all hold; else what the first of the others found. It is to be told behind the write that broke the condition:
 *   a caller that then reads again finds that write.
 */
export function findConflict(
  conditions: readonly CheckedCondition[],
  { store }: AppliedLog,
  wal: WalWriter<unknown>,
  onDisk: OnDisk,
  now = store.now,
): Conflict | undefined {
  for (const [index, { key, sequence }] of conditions.entries()) {
    const ahead = wal.pendingChange(key);
    const newer = ahead === undefined ? store.stateInMemory(key) : stateAfter(ahead);
    const state = newer ?? stateOfFound(onDisk.found[index]);
    const found = aliveAt(state, now).sequence;
    if (found === sequence) continue;
    return { key, error: conflict(key, sequence, found, ahead?.sequence ?? found), ahead };
  }
  return undefined;
}

/** What a write under way leaves of its key, whatever the time. */
export function stateAfter({ type, sequence, expiresAt }: PendingChange): KeyState {
  return type === "put" ? { sequence, expiresAt } : ABSENT;
}

function conflict(
  key: Uint8Array,
  wanted: SequenceNumber | undefined,
  found: SequenceNumber | undefined,
  by: SequenceNumber | undefined,
) {
  return new KayaError(
    "KAYA_CONFLICT",
    `nothing was written: the key ${showKey(key)} ${state(found)}, and the batch wants it ${wanted === undefined ? "absent" : `with sequence ${wanted}`}. ` +
      "Read it again and decide again.",
    { key: new Uint8Array(key), sequence: by },
  );
}

function state(sequence: SequenceNumber | undefined): string {
  return sequence === undefined ? "is absent" : `has sequence ${sequence}`;
}

/** As text where it is text that can be shown, else in hex. */
export function showKey(key: Uint8Array): string {
  const text = Buffer.from(key.buffer, key.byteOffset, key.length);
  return isPrintable(text.toString()) ? describe(text.toString()) : `0x${text.toString("hex")}`;
}

function isPrintable(text: string): boolean {
  return /^[^\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufffd]*$/u.test(text);
}
