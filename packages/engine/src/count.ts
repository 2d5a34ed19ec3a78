import type { EntryCursor } from "@kaya/lsm";
import type { KeyRange } from "./memtable/key-range.js";
import { RangeReader } from "./store/range-reader.js";
import type { Turns } from "./turns.js";

/**
 * Counts the entries of a range. The event loop goes on in between.
 * @param cursor closed in any case
 * @throws KayaError as the tables, and what `check` throws between two slices
 */
export async function countEntries(
  cursor: EntryCursor,
  range: KeyRange,
  turns: Turns,
  check: () => void,
): Promise<number> {
  const reader = new RangeReader(cursor, range);
  try {
    let count = 0;
    for (let most = turns.operations; ; most += turns.operations) {
      await reader.read(
        () => count++,
        () => count >= most,
      );
      if (reader.isAtEnd) return count;
      await turns.next();
      check();
    }
  } finally {
    reader.close();
  }
}
