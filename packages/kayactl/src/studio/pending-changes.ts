import { type ChangeOperation, isReservedKey } from "@kaya/engine";
import type { Change } from "./api.js";
import { toText } from "./base64url.js";
import { endOfPrefix, hasPrefix } from "./key-range.js";
import { HEAD_BYTES } from "./rows.js";

const MOST_CHANGES = 100;
const MOST_BYTES = 1024 * 1024;

/** The changes that a page wants. */
export interface ChangeFilter {
  readonly prefix: Uint8Array;
  readonly isInternal: boolean;
}

/** A change with bytes of its own, as few as a page needs. */
interface KeptChange {
  readonly lsn: number;
  readonly at: number;
  readonly operation: ChangeOperation;
  /** Of the whole value. */
  readonly length: number;
  readonly bytes: number;
}

/** Changes that wait for a page, few of them: where there are more, the oldest are left out, and counted. */
export class PendingChanges {
  readonly #filter: ChangeFilter;
  /** Oldest first. */
  #kept: KeptChange[] = [];
  #bytes = 0;
  /** Of these, those that reads show by now. */
  #settled = 0;
  #skipped = 0;

  constructor(filter: ChangeFilter) {
    this.#filter = filter;
  }

  get hasSettled(): boolean {
    return this.#settled > 0 || this.#skipped > 0;
  }

  /** Takes one record. Its bytes are valid only during the call. */
  add(lsn: number, operations: Iterable<ChangeOperation>): void {
    const at = Date.now();
    let last: ChangeOperation[] = [];
    // Of a large batch only the last are copied.
    for (const operation of operations) {
      if (!this.#isWanted(operation)) continue;
      last.push(operation);
      if (last.length < 2 * MOST_CHANGES) continue;
      last = last.slice(MOST_CHANGES);
      this.#skipped += MOST_CHANGES;
    }
    for (const operation of last) this.#keep(keptOf(lsn, at, operation));
  }

  /** Counts records whose changes are not known. */
  miss(records: number): void {
    this.#skipped += records;
  }

  /** Reads show what was added so far. */
  settle(): void {
    this.#settled = this.#kept.length;
  }

  /** Takes out what has settled, and how many were left out before it. */
  take(): { readonly skipped: number; readonly changes: readonly Change[] } {
    const taken = this.#kept.splice(0, this.#settled);
    for (const { bytes } of taken) this.#bytes -= bytes;
    const skipped = this.#skipped;
    this.#settled = 0;
    this.#skipped = 0;
    return { skipped, changes: taken.map(toChange) };
  }

  #keep(change: KeptChange): void {
    this.#kept.push(change);
    this.#bytes += change.bytes;
    while (this.#kept.length > MOST_CHANGES || this.#bytes > MOST_BYTES) {
      this.#bytes -= this.#kept.shift()?.bytes ?? 0;
      this.#settled = Math.max(0, this.#settled - 1);
      this.#skipped++;
    }
  }

  #isWanted(operation: ChangeOperation): boolean {
    const { prefix, isInternal } = this.#filter;
    const first = operation.type === "deleteRange" ? operation.start : operation.key;
    if (!isInternal && isReservedKey(first)) return false;
    return operation.type === "deleteRange"
      ? meets(operation.start, operation.end, prefix)
      : hasPrefix(operation.key, prefix);
  }
}

/** Whether a key that begins with `prefix` can be in a range. */
function meets(start: Uint8Array, end: Uint8Array | undefined, prefix: Uint8Array): boolean {
  const behind = endOfPrefix(prefix);
  return (
    (behind === undefined || Buffer.compare(start, behind) < 0) &&
    (end === undefined || Buffer.compare(prefix, end) < 0)
  );
}

// What was read is one buffer for many records: a view of it would keep all of it.
function keptOf(lsn: number, at: number, operation: ChangeOperation): KeptChange {
  switch (operation.type) {
    case "put": {
      const { length } = operation.value;
      const [key, value] = [operation.key.slice(), operation.value.slice(0, HEAD_BYTES)];
      return { lsn, at, operation: { ...operation, key, value }, length, bytes: key.length + value.length };
    }
    case "delete": {
      const key = operation.key.slice();
      return { lsn, at, operation: { type: "delete", key }, length: 0, bytes: key.length };
    }
    case "deleteRange": {
      const [start, end] = [operation.start.slice(), operation.end?.slice()];
      const bytes = start.length + (end?.length ?? 0);
      return { lsn, at, operation: { type: "deleteRange", start, end }, length: 0, bytes };
    }
  }
}

function toChange({ lsn, at, operation, length }: KeptChange): Change {
  switch (operation.type) {
    case "put": {
      const { key, value, expiresAt } = operation;
      const put = { lsn, at, kind: "put", key: toText(key), length, head: toText(value) } as const;
      return expiresAt === undefined ? put : { ...put, expiresAt };
    }
    case "delete":
      return { lsn, at, kind: "delete", key: toText(operation.key) };
    case "deleteRange": {
      const { start, end } = operation;
      const range = { lsn, at, kind: "deleteRange", key: toText(start) } as const;
      return end === undefined ? range : { ...range, end: toText(end) };
    }
  }
}
