import { describe, KayaError, readInput, type SequenceNumber } from "@kaya/core";
import type { PendingChange, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "./apply.js";
import { type Bytes, invalid, toBytes } from "./input.js";

/** What must hold of a key when a batch is written. What `getEntry` gives is one: that the key is still as it was read. */
export interface BatchCondition {
  readonly key: Bytes;
  /** Of the write that made the value; undefined: the key is absent. */
  readonly sequence: SequenceNumber | undefined;
}

interface CheckedCondition {
  readonly key: Uint8Array;
  readonly sequence: SequenceNumber | undefined;
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function toConditions(conditions: readonly BatchCondition[] | undefined): readonly CheckedCondition[] {
  if (conditions === undefined) return [];
  return readInput("the conditions of a batch", () => {
    if (!Array.isArray(conditions)) throw invalid("the conditions of a batch are an array");
    return Array.from(conditions, toCondition);
  });
}

function toCondition(condition: BatchCondition): CheckedCondition {
  const key = toBytes(condition?.key, "key of a condition");
  // Own properties: with a polluted Object.prototype "absent" would have a sequence. Without it a misspelt name would mean "absent".
  const hasSequence = Object.hasOwn(condition, "sequence");
  const sequence = hasSequence ? condition.sequence : undefined;
  if (sequence === undefined ? hasSequence : isSequence(sequence)) return { key, sequence };
  throw invalid(
    "a condition has the `sequence` that its key must have, a whole number >= 1, or undefined for a key that must be absent, " +
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

/**
 * Whether conditions hold for what is written next, in commit order: the last write to a key that is queued ahead counts, and where there is
 * none what is applied.
 * @returns undefined where all hold; else what the first of the others found. It is to be told behind the write that broke the condition:
 *   whoever then reads again finds that write.
 */
export function findConflict(
  conditions: readonly CheckedCondition[],
  { memtable }: AppliedLog,
  wal: WalWriter<unknown>,
): Conflict | undefined {
  for (const { key, sequence } of conditions) {
    const ahead = wal.pendingChange(key);
    const found =
      ahead === undefined ? memtable.sequenceOf(key) : ahead.type === "put" ? ahead.sequence : undefined;
    if (found !== sequence) return { key, error: conflict(key, sequence, found), ahead };
  }
  return undefined;
}

function conflict(key: Uint8Array, wanted: SequenceNumber | undefined, found: SequenceNumber | undefined) {
  return new KayaError(
    "KAYA_CONFLICT",
    `nothing was written: the key ${showKey(key)} ${state(found)}, and the batch wants it ${wanted === undefined ? "absent" : `with sequence ${wanted}`}. ` +
      "Read it again, and decide anew.",
    { key: new Uint8Array(key) },
  );
}

function state(sequence: SequenceNumber | undefined): string {
  return sequence === undefined ? "is absent" : `has sequence ${sequence}`;
}

/** As text where it is text that can be shown, else in hex. */
function showKey(key: Uint8Array): string {
  const text = Buffer.from(key.buffer, key.byteOffset, key.length);
  return isPrintable(text.toString()) ? describe(text.toString()) : `0x${text.toString("hex")}`;
}

function isPrintable(text: string): boolean {
  return /^[^\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufffd]*$/u.test(text);
}
