import { type Items, type PageRow, RECORD_TYPES, TYPE_COUNT } from "./page-data.js";
import { VarintReader, VarintWriter } from "./varints.js";

/** Groups of rows, for a log with too many of them: how many, and how many bytes, by type. */
export class GroupEncoder {
  readonly #out = new VarintWriter();
  readonly #groupSize: number;
  #firstLsn = 0;
  #rows = 0;
  #groups = 0;
  #counts = new Array<number>(TYPE_COUNT).fill(0);
  #bytes = new Array<number>(TYPE_COUNT).fill(0);

  constructor(groupSize: number) {
    this.#groupSize = groupSize;
  }

  add({ lsn, type, encodedLength }: PageRow): void {
    const at = RECORD_TYPES.indexOf(type);
    // The LSNs of a group go on without a gap.
    if (lsn !== this.#firstLsn + this.#rows) this.#close();
    if (this.#rows++ === 0) this.#firstLsn = lsn;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#bytes[at] = (this.#bytes[at] ?? 0) + encodedLength;
    if (this.#rows === this.#groupSize) this.#close();
  }

  /** Ends the last group. */
  end(): { bytes: Uint8Array; items: number } {
    this.#close();
    return { bytes: this.#out.bytes, items: this.#groups };
  }

  #close(): void {
    if (this.#rows === 0) return;
    this.#out.add(this.#firstLsn);
    for (let type = 0; type < TYPE_COUNT; type++) {
      this.#out.add(this.#counts[type] ?? 0);
      this.#out.add(this.#bytes[type] ?? 0);
    }
    this.#rows = 0;
    this.#groups++;
    this.#counts.fill(0);
    this.#bytes.fill(0);
  }
}

/** @param count how many groups the bytes hold */
export function decodeGroups(bytes: Uint8Array, count: number): Items {
  const input = new VarintReader(bytes);
  const offsets = new Float64Array(count + 1);
  const lsns = new Float64Array(count);
  const counts = new Float64Array(count * TYPE_COUNT);
  const sizes = new Float64Array(count * TYPE_COUNT);
  for (let i = 0; i < count; i++) {
    lsns[i] = input.next();
    let end = offsets[i] ?? 0;
    for (let at = i * TYPE_COUNT; at < (i + 1) * TYPE_COUNT; at++) {
      counts[at] = input.next();
      const size = input.next();
      sizes[at] = size;
      end += size;
    }
    offsets[i + 1] = end;
  }
  return {
    length: count,
    offsets,
    lsns,
    countOf: (i, type) => counts[i * TYPE_COUNT + type] ?? 0,
    bytesOf: (i, type) => sizes[i * TYPE_COUNT + type] ?? 0,
    rowAt: () => undefined,
  };
}
