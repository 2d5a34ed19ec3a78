import { type DurabilityMode, KayaError } from "@kaya/core";
import type { WalPayload } from "@kaya/wal";
import type { FoundKeys } from "../clear.js";
import type { HeadEngine } from "../modify.js";
import type { Turns } from "../turns.js";
import { payloadOf, type WriteResult } from "../write.js";
import type { Indexes } from "./indexes.js";

/** Rows that are deleted with their entries in one record, and bytes of their values after which it has enough. */
const PAGE_ROWS = 256;
const PAGE_BYTES = 256 * 1024;

/** Records that may wait for the disk at once. */
const MOST_UNDER_WAY = 8;

export interface ClearHost {
  readonly head: Pick<HeadEngine, "wal" | "assertWritable">;
  readonly indexes: Pick<Indexes, "append" | "entries" | "inOrder">;
  /** Other work gets its turn between pages. */
  readonly turns: Turns;
  /** @throws KayaError where there is no room for a write */
  assertRoom(): void;
}

/**
 * Deletes rows with their entries, page by page in the order of the keys: the values of a page are in memory at once, and no others. What was written after a moment
 * stays.
 */
export class ClearRows {
  readonly #host: ClearHost;
  readonly #durability: DurabilityMode;
  readonly #writes: Promise<WriteResult | undefined>[] = [];
  readonly #placed: Uint8Array[] = [];

  constructor(host: ClearHost, durability: DurabilityMode) {
    this.#host = host;
    this.#durability = durability;
  }

  /** Keys whose deletions have their place in the log, and those that it found absent or written later. */
  get placed(): readonly Uint8Array[] {
    return this.#placed;
  }

  /**
   * @returns of the records, in their order: none where nothing is there any more. Rejects as `Indexes.append`; pages before the one that is refused are deleted.
   */
  async run(found: FoundKeys): Promise<readonly WriteResult[]> {
    try {
      for (const keys of pagesOf(found)) {
        await this.#host.turns.next();
        await this.#writes.at(-MOST_UNDER_WAY);
        await this.#delete(keys, found.upTo);
      }
    } finally {
      await Promise.allSettled(this.#writes);
    }
    const results = await Promise.all(this.#writes);
    return results.filter((result) => result !== undefined);
  }

  /** Resolves once they have their place in the log. A page that does not fit a record is halved. */
  async #delete(keys: readonly Uint8Array[], upTo: number): Promise<void> {
    const { head, indexes, assertRoom } = this.#host;
    let isExtended = false;
    let tell = (): void => undefined;
    const placed = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const written = indexes.inOrder(deleting(keys), (): Promise<WriteResult | undefined> => {
      head.assertWritable();
      // As they are in the turn in which the record gets its place: what came later than the clear stays.
      const there = indexes
        .entries(keys)
        .filter(({ sequence }) => sequence !== undefined && sequence <= upTo);
      if (there.length === 0) return Promise.resolve(undefined);
      assertRoom();
      const before = head.wal.nextLsn;
      const done = indexes.append(deleting(there.map(({ key }) => key)), (payload) => {
        isExtended = true;
        return head.wal.append(payload, this.#durability);
      });
      if (head.wal.nextLsn > before) tell();
      return done;
    });
    written.catch(() => undefined); // who awaits all of them is told
    try {
      await Promise.race([placed, written]);
    } catch (error) {
      const isTooLong = isExtended && KayaError.is(error, "KAYA_INVALID_ARGUMENT");
      if (!isTooLong || keys.length === 1) throw error;
      const half = keys.length >> 1;
      await this.#delete(keys.slice(0, half), upTo);
      return this.#delete(keys.slice(half), upTo);
    }
    this.#writes.push(written);
    this.#placed.push(...keys);
  }
}

function* pagesOf({ keys, valueBytes }: FoundKeys): Iterable<readonly Uint8Array[]> {
  let [start, bytes] = [0, 0];
  for (const [i, length] of valueBytes.entries()) {
    bytes += length;
    if (i + 1 - start < PAGE_ROWS && bytes < PAGE_BYTES) continue;
    yield keys.slice(start, i + 1);
    [start, bytes] = [i + 1, 0];
  }
  if (start < keys.length) yield keys.slice(start);
}

function deleting(keys: readonly Uint8Array[]): WalPayload {
  return payloadOf(keys.map((key) => ({ type: "delete", key })));
}
