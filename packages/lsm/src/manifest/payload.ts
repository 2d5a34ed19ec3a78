import { LEVELS, type ManifestState, type PlacedTable, type TableMeta, tablesOf } from "./manifest-state.js";

/** The content of a record. In a SNAPSHOT `removed` is empty. */
export interface ManifestPayload {
  readonly nextTableId: number;
  readonly covered: { readonly lsn: number; readonly sequence: number };
  readonly logIdentity: string;
  readonly removed: readonly { readonly level: number; readonly id: number }[];
  readonly added: readonly PlacedTable[];
}

/** The payload's checksum holds, but its shape is wrong. */
export class MalformedPayload extends Error {}

/** A state as the payload of a SNAPSHOT. */
export function snapshotPayload(state: ManifestState): ManifestPayload {
  const { nextTableId, covered, logIdentity, levels } = state;
  const added = levels.flatMap((tables, level) => tables.map((table) => ({ level, table })));
  return { nextTableId, covered, logIdentity, removed: [], added };
}

export function encodePayload(payload: ManifestPayload): Uint8Array {
  const { nextTableId, covered, logIdentity, removed, added } = payload;
  const writer = new PayloadWriter();
  writer.u64(nextTableId);
  writer.u64(covered.lsn);
  writer.u64(covered.sequence);
  writer.bytes(Buffer.from(logIdentity, "utf8"));
  writer.u32(removed.length);
  for (const { level, id } of removed) {
    writer.u8(level);
    writer.u64(id);
  }
  writer.u32(added.length);
  for (const { level, table } of added) {
    writer.u8(level);
    writeTable(writer, table);
  }
  return writer.done();
}

/**
 * The bytes of keys are copies.
 * @throws MalformedPayload
 */
export function decodePayload(bytes: Uint8Array): ManifestPayload {
  const reader = new PayloadReader(bytes);
  const nextTableId = reader.u64();
  const covered = { lsn: reader.u64(), sequence: reader.u64() };
  const logIdentity = Buffer.from(reader.bytes()).toString("utf8");
  const removed = Array.from({ length: reader.count(9) }, () => ({ level: level(reader), id: reader.u64() }));
  const added = Array.from({ length: reader.count(LEAST_TABLE_BYTES) }, () => ({
    level: level(reader),
    table: readTable(reader),
  }));
  reader.end();
  return { nextTableId, covered, logIdentity, removed, added };
}

/** The length of a state's SNAPSHOT, nearly. */
export function approximateBytes(state: ManifestState): number {
  let bytes = 256;
  for (const { start, end } of tablesOf(state))
    bytes += LEAST_TABLE_BYTES + start.length + (end?.length ?? 0);
  return bytes;
}

const LEAST_TABLE_BYTES = 1 + 8 + 8 + 4 + 8 + 8 + 8 + 8 + 8 + 8 + 4 + 1;

function writeTable(writer: PayloadWriter, table: TableMeta): void {
  writer.u64(table.id);
  writer.u64(table.fileBytes);
  writer.u32(table.footerCrc);
  writer.u64(table.entries);
  writer.u64(table.tombstones);
  writer.u64(table.rangeTombstones);
  writer.u64(table.rawBytes);
  writer.u64(table.smallestSequence);
  writer.u64(table.largestSequence);
  writer.bytes(table.start);
  writer.u8(table.end === undefined ? 0 : 1);
  if (table.end !== undefined) writer.bytes(table.end);
}

function readTable(reader: PayloadReader): TableMeta {
  const fixed = {
    id: reader.u64(),
    fileBytes: reader.u64(),
    footerCrc: reader.u32(),
    entries: reader.u64(),
    tombstones: reader.u64(),
    rangeTombstones: reader.u64(),
    rawBytes: reader.u64(),
    smallestSequence: reader.u64(),
    largestSequence: reader.u64(),
    start: reader.bytes(),
  };
  const bounded = reader.u8();
  if (bounded > 1) throw new MalformedPayload(`a table's end is of kind ${bounded}`);
  return { ...fixed, end: bounded === 0 ? undefined : reader.bytes() };
}

function level(reader: PayloadReader): number {
  const value = reader.u8();
  if (value >= LEVELS) throw new MalformedPayload(`there is no level ${value}`);
  return value;
}

class PayloadWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  u8(value: number): void {
    const at = this.#room(1); // first: it may exchange the buffer
    this.#view.setUint8(at, value);
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
  }

  u64(value: number): void {
    const at = this.#room(8);
    this.#view.setBigUint64(at, BigInt(value), true);
  }

  /** The length as u32, then the bytes. */
  bytes(value: Uint8Array): void {
    this.u32(value.length);
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
  }

  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #room(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}

/** Checks each length before it is used. */
class PayloadReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): number {
    const value = Number(this.#view.getBigUint64(this.#take(8), true));
    if (Number.isSafeInteger(value)) return value;
    throw new MalformedPayload("a number is above 2^53 - 1");
  }

  bytes(): Uint8Array {
    const length = this.u32();
    const at = this.#take(length);
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  /** How many of at least `least` bytes each follow. */
  count(least: number): number {
    const count = this.u32();
    if (count * least <= this.#bytes.length - this.#at) return count;
    throw new MalformedPayload(`${count} parts do not fit`);
  }

  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw new MalformedPayload(`${left} bytes follow its end`);
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#bytes.length - at) throw new MalformedPayload("it ends too early");
    this.#at = at + bytes;
    return at;
  }
}
