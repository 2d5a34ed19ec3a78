import { WAL_HEADER_LENGTH, type WalPayload, OperationsBuffer } from "@kaya/wal";
import type { EntryCursor } from "@kaya/lsm";
import type { KeyRange } from "./memtable/key-range.js";
import { RangeReader } from "./store/range-reader.js";
import type { Turns } from "./turns.js";

/** A batch's own header in its record, and what each operation has beside its key. */
const BATCH_BYTES = WAL_HEADER_LENGTH + 16;
const OPERATION_BYTES = 16;

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

/**
 * Deletes of the entries of a range, in as many records as they need; one that deletes nothing where there are none.
 * @param cursor closed in any case
 * @throws KayaError as the tables, and what `check` throws
 */
export async function deletesUpTo(
  cursor: EntryCursor,
  range: KeyRange,
  maxRecordBytes: number,
  check: () => void,
): Promise<readonly WalPayload[]> {
  const reader = new RangeReader(cursor, range);
  const payloads: WalPayload[] = [];
  let buffer = new OperationsBuffer();
  let bytes = BATCH_BYTES;
  const cut = () => {
    payloads.push({ type: "batch", operations: buffer.take() });
    buffer = new OperationsBuffer();
    bytes = BATCH_BYTES;
  };
  try {
    await reader.read(
      ({ key }) => {
        if (bytes + OPERATION_BYTES + key.length > maxRecordBytes && bytes > BATCH_BYTES) cut();
        buffer.delete(key);
        bytes += OPERATION_BYTES + key.length;
      },
      () => false,
    );
    check();
    if (bytes > BATCH_BYTES || payloads.length === 0) cut();
    return payloads;
  } finally {
    reader.close();
  }
}
