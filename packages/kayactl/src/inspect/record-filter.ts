import type { Lsn } from "@kaya/core";
import { operationsOf, type WalInspectionRow, type WalOperation, type WalRecord } from "@kaya/wal";
import { InvalidArgumentError } from "commander";
import { invalid, parseHex } from "../bytes.js";

export interface LsnRange {
  readonly first: Lsn;
  readonly last: Lsn;
}

/** An operation of a record that a key filter asks for. */
export interface Match {
  /** Counted from 0 in the record. */
  readonly index: number;
  readonly operation: WalOperation;
}

/** Which records of a log are shown. */
export class RecordFilter {
  readonly lsns: LsnRange;
  readonly #prefix: Uint8Array | undefined;

  constructor(lsns: LsnRange | undefined, prefix: Uint8Array | undefined) {
    this.lsns = lsns ?? { first: 0, last: Number.POSITIVE_INFINITY };
    this.#prefix = prefix;
  }

  get acceptsAll(): boolean {
    return !this.hasPrefix && this.lsns.first === 0 && this.lsns.last === Number.POSITIVE_INFINITY;
  }

  get hasPrefix(): boolean {
    return this.#prefix !== undefined;
  }

  /** @param record needed where there is a prefix */
  accepts({ lsn }: WalInspectionRow, record: WalRecord | undefined): boolean {
    if (lsn < this.lsns.first || lsn > this.lsns.last) return false;
    if (this.#prefix === undefined) return true;
    return record !== undefined && this.matches(record).length > 0;
  }

  /** The operations that have such a key, or delete a range with such keys in it. Without a prefix, all of them. */
  matches({ payload }: WalRecord): Match[] {
    const matches: Match[] = [];
    let index = 0;
    for (const operation of operationsOf(payload)) {
      if (this.#prefix === undefined || this.#asksFor(operation)) matches.push({ index, operation });
      index++;
    }
    return matches;
  }

  #asksFor(operation: WalOperation): boolean {
    if (operation.type !== "deleteRange") return this.#begins(operation.key);
    const { start, end } = operation;
    return this.#begins(start) || (this.#isBehind(start) && (end === undefined || !this.#isBehind(end)));
  }

  /** Whether the prefix, the first of all keys that begin with it, is at this bound of a range or behind it. */
  #isBehind(bound: Uint8Array): boolean {
    return this.#prefix !== undefined && Buffer.compare(bound, this.#prefix) <= 0;
  }

  #begins(key: Uint8Array): boolean {
    const prefix = this.#prefix ?? key;
    return key.length >= prefix.length && Buffer.compare(key.subarray(0, prefix.length), prefix) === 0;
  }
}

/** For commander: `A..B`, `A..`, `..B` or `A`; both ends belong to it. */
export function parseLsnRange(text: string): LsnRange {
  const [, from = "", dots, to = ""] = /^(\d*)(\.\.)?(\d*)$/.exec(text) ?? [];
  const first = from === "" ? 0 : Number(from);
  const last = dots === undefined ? first : to === "" ? Number.POSITIVE_INFINITY : Number(to);
  const isSafe = Number.isSafeInteger(first) && (to === "" || Number.isSafeInteger(last));
  if (from + to === "" || !isSafe) {
    throw new InvalidArgumentError("It must be A..B, A.., ..B or A, with whole numbers.");
  }
  if (last < first) throw new InvalidArgumentError("It ends before it begins.");
  return { first, last };
}

/**
 * The bytes that a key has to begin with: text, or `hex:00ff` as keys are shown that are no text.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function parseKeyPrefix(text: string): Uint8Array {
  if (text.startsWith("hex:")) return parseHex(text.slice(4), "--key");
  if (text.includes("\ufffd")) {
    throw invalid("--key is not valid UTF-8 (or holds U+FFFD): give its bytes as hex:00ff");
  }
  return Buffer.from(text, "utf8");
}
