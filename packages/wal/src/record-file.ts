import { KayaError, type Lsn, type SequenceNumber } from "@kaya/core";
import { assertDisk, type Disk } from "@kaya/io";
import { WAL_HEADER_LENGTH, type WalPayload, type WalRecord } from "./format.js";
import { payloadLength } from "./payload-codec.js";
import { checkNumbers, writeRecord } from "./record-codec.js";
import { intactSituation, refusalCode } from "./recovery-decision.js";
import { type ScanEnd, scanWindows } from "./scanner.js";
import { viewOf } from "./views.js";
import { formatWarning } from "./warnings.js";

/** Encodes records one behind the other, for files that use the log's framing without being one. */
export class RecordBuffer {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  /**
   * An empty buffer.
   *
   * @param initialBytes its memory at first; it doubles as it grows
   */
  constructor(initialBytes = 64 * 1024) {
    this.#bytes = new Uint8Array(initialBytes);
    this.#view = viewOf(this.#bytes);
  }

  /** Bytes of the records that were added, encoded. */
  get length(): number {
    return this.#length;
  }

  /** The records that were added, encoded. A view, valid until the next `add`. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /**
   * Encodes a record behind the others. The payload's bytes are not needed afterwards.
   * @throws KayaError KAYA_INVALID_ARGUMENT for what the format cannot hold
   */
  add(lsn: Lsn, sequence: SequenceNumber, payload: WalPayload): void {
    const length = WAL_HEADER_LENGTH + payloadLength(payload);
    checkNumbers(lsn, sequence, payload);
    this.#makeRoom(length);
    writeRecord(this.#bytes, this.#view, this.#length, length, lsn, sequence, payload);
    this.#length += length;
  }

  /** Empties the buffer. Its memory is used again. */
  clear(): void {
    this.#length = 0;
  }

  #makeRoom(length: number): void {
    const needed = this.#length + length;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.bytes);
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }
}

/**
 * What `readRecordFile` calls for each record; its bytes are views of a buffer that is never written again. Where it gives a promise,
 * the next record comes once that has resolved.
 */
export type OnFileRecord =
  | ((record: WalRecord, offset: number) => void)
  | ((record: WalRecord, offset: number) => Promise<void> | undefined);

/**
 * Reads a file of records that must be whole, in large sequential reads and flat memory, and pauses about once a mebibyte with
 * the offset up to which all records were given. What the records say is the caller's to check.
 * @throws KayaError KAYA_CORRUPTION with file and offset at the first byte that is not of a whole record;
 *   KAYA_INVALID_ARGUMENT where a record is over `maxRecordBytes`; KAYA_UNSUPPORTED_VERSION; KAYA_IO
 */
export async function* readRecordFile(
  disk: Disk,
  path: string,
  maxRecordBytes: number,
  onRecord: OnFileRecord,
): AsyncGenerator<number, void> {
  assertDisk(disk);
  const file = await disk.open(path, { readOnly: true });
  try {
    const windows = scanWindows(file, await file.length(), {
      maxRecordBytes,
      onRecord: (record, offset) => {
        const taken = onRecord(record, offset);
        return taken instanceof Promise ? taken : true;
      },
    });
    for (;;) {
      const step = await windows.next();
      if (step.done !== true) yield step.value;
      else if (step.value.kind === "torn" || step.value.kind === "damaged") throw notWhole(path, step.value);
      else return;
    }
  } finally {
    await file.close();
  }
}

/** Such a file got its name when it was whole and durable: only the disk or another program can have changed it since. */
export function notWhole(path: string, end: Extract<ScanEnd, { kind: "torn" | "damaged" }>): KayaError {
  const intact = intactSituation(end);
  const advice = {
    "unknown-format": "The bytes are intact: a newer version wrote them. Open it with that version.",
    "oversized-record": "The record's header is intact: raise maxRecordBytes to what it was written with.",
    damaged: "A crash cannot have done this: restore the file from a backup.",
  }[intact ?? "damaged"];
  const code = intact === undefined ? "KAYA_CORRUPTION" : refusalCode(intact);
  return new KayaError(code, `${path}: ${formatWarning(end.warning)}. Nothing was changed. ${advice}`);
}
