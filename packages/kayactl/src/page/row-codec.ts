import { type Items, type PageRow, RECORD_TYPES } from "./page-data.js";
import { VarintReader, VarintWriter } from "./varints.js";

/** The header of a record; and of a PUT or a DELETE_RANGE its two lengths, of a DELETE its one, of a PUT_EXPIRING two and a time. */
const HEADER = 40;
const PAIR_OVERHEAD = HEADER + 8;
const EXPIRING_OVERHEAD = HEADER + 16;
const DELETE_OVERHEAD = HEADER + 4;
/** Beside the type, where LSN and sequence are not those that follow from the record before. */
const JUMP = 0x40;

const [PUT, DELETE, , BATCH, DELETE_RANGE, PUT_EXPIRING] = [0, 1, 2, 3, 4, 5];
/** The length of a PUT's key, the operations of a BATCH, the length of a DELETE_RANGE's start. */
const WITH_DETAIL = [PUT, BATCH, DELETE_RANGE, PUT_EXPIRING];

/** The rows of a segment in about four bytes each: what follows from the rest is left out. */
export class RowEncoder {
  readonly #out = new VarintWriter();
  #rows = 0;
  #lsn = 0;
  #sequence = 0;

  add(row: PageRow): void {
    const type = RECORD_TYPES.indexOf(row.type);
    const isJump = row.lsn !== this.#lsn || row.sequence !== this.#sequence;
    this.#out.add(isJump ? type + JUMP : type);
    this.#out.add(row.encodedLength - HEADER);
    if (type === PUT || type === PUT_EXPIRING) this.#out.add(row.keyLength ?? 0);
    if (type === BATCH) this.#out.add(row.operations ?? 0);
    if (type === DELETE_RANGE) this.#out.add(row.startLength ?? 0);
    if (type === PUT_EXPIRING) this.#out.add(row.expiresAt ?? 0);
    if (isJump) {
      this.#out.add(row.lsn);
      this.#out.add(row.sequence);
    }
    this.#rows++;
    this.#lsn = row.lsn + 1;
    this.#sequence = row.sequence + (row.operations ?? 1);
  }

  end(): { bytes: Uint8Array; items: number } {
    return { bytes: this.#out.bytes, items: this.#rows };
  }
}

/** @param count how many rows the bytes hold */
export function decodeRows(bytes: Uint8Array, count: number): Items {
  const input = new VarintReader(bytes);
  const offsets = new Float64Array(count + 1);
  const lsns = new Float64Array(count);
  const sequences = new Float64Array(count);
  const types = new Uint8Array(count);
  const details = new Uint32Array(count);
  /** Of each PUT_EXPIRING. */
  const times = new Map<number, number>();
  let lsn = 0;
  let sequence = 0;
  for (let i = 0; i < count; i++) {
    const head = input.next();
    const type = head % JUMP;
    types[i] = type;
    offsets[i + 1] = (offsets[i] ?? 0) + HEADER + input.next();
    const detail = WITH_DETAIL.includes(type) ? input.next() : 0;
    details[i] = detail;
    if (type === PUT_EXPIRING) times.set(i, input.next());
    if (head >= JUMP) {
      lsn = input.next();
      sequence = input.next();
    }
    lsns[i] = lsn++;
    sequences[i] = sequence;
    sequence += type === BATCH ? detail : 1;
  }
  const bytesAt = (i: number) => (offsets[i + 1] ?? 0) - (offsets[i] ?? 0);
  return {
    length: count,
    offsets,
    lsns,
    countOf: (i, type) => (types[i] === type ? 1 : 0),
    bytesOf: (i, type) => (types[i] === type ? bytesAt(i) : 0),
    rowAt: (i) => {
      const type = types[i];
      const name = type === undefined ? undefined : RECORD_TYPES[type];
      if (name === undefined) return undefined;
      const detail = details[i] ?? 0;
      const encodedLength = bytesAt(i);
      return {
        offset: offsets[i] ?? 0,
        lsn: lsns[i] ?? 0,
        sequence: sequences[i] ?? 0,
        type: name,
        ...(type === PUT && { keyLength: detail, valueLength: encodedLength - PAIR_OVERHEAD - detail }),
        ...(type === PUT_EXPIRING && {
          keyLength: detail,
          valueLength: encodedLength - EXPIRING_OVERHEAD - detail,
          expiresAt: times.get(i) ?? 0,
        }),
        ...(type === DELETE && { keyLength: encodedLength - DELETE_OVERHEAD }),
        ...(type === BATCH && { operations: detail }),
        ...(type === DELETE_RANGE && rangeLengths(detail, encodedLength - PAIR_OVERHEAD - detail)),
        encodedLength,
      };
    },
  };
}

/** A range has no end where that has no bytes. */
function rangeLengths(startLength: number, endLength: number): { startLength: number; endLength?: number } {
  return endLength === 0 ? { startLength } : { startLength, endLength };
}
