import { crc32c, type Lsn, type SequenceNumber } from "@kaya/core";
import { decodeRecord, operationCount } from "@kaya/wal";
import type { BlobOptions, BlobStore } from "../blob-store.js";
import { FactReader } from "../shipment/facts.js";
import { damagedObject, openSealedObject, sealObject } from "../shipment/sealed-object.js";
import type { ChunkName } from "./replica-names.js";

const FORMAT = "kaya log chunk 1";

/** Records of a log, one after the other, as in a segment. */
export interface RecordChunk {
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly lastSequence: SequenceNumber;
  /** CRC-32C of the last record. */
  readonly lastCrc: number;
  readonly bytes: Uint8Array;
}

/** One record of a chunk. */
export interface ChunkRecord {
  readonly lsn: Lsn;
  readonly lastSequence: SequenceNumber;
  readonly bytes: Uint8Array;
}

export function encodeChunk({ bytes, ...facts }: RecordChunk, time: number): Uint8Array {
  return sealObject(FORMAT, { ...facts, time }, bytes);
}

/**
 * Reads a chunk, and checks each of its records.
 * @throws KayaError KAYA_CORRUPTION with object and offset; KAYA_NOT_FOUND, KAYA_UNSUPPORTED_VERSION, KAYA_IO
 */
export async function readChunk(
  store: BlobStore,
  chunk: ChunkName,
  options?: BlobOptions,
): Promise<RecordChunk & { readonly records: readonly ChunkRecord[] }> {
  const { name } = chunk;
  const { facts, body } = await openSealedObject(store, name, FORMAT, options);
  const reader = new FactReader(facts, (why) => damagedObject(store.name, name, 0, why));
  const head = { firstLsn: reader.number("firstLsn"), lastLsn: reader.number("lastLsn") };
  if (head.firstLsn !== chunk.firstLsn || head.lastLsn !== chunk.lastLsn)
    throw damagedObject(store.name, name, 0, "its content does not match its name");
  const records = [
    ...recordsOf(body, head.firstLsn, (offset, why) => damagedObject(store.name, name, offset, why)),
  ];
  if (records.at(-1)?.lsn !== head.lastLsn)
    throw damagedObject(store.name, name, body.length, `its records end before LSN ${head.lastLsn}`);
  return {
    ...head,
    lastSequence: reader.number("lastSequence"),
    lastCrc: reader.number("lastCrc"),
    bytes: body,
    records,
  };
}

function* recordsOf(
  body: Uint8Array,
  firstLsn: Lsn,
  damaged: (offset: number, why: string) => Error,
): Generator<ChunkRecord, void> {
  let lsn = firstLsn;
  for (let at = 0; at < body.length; lsn++) {
    const result = decodeRecord(body.subarray(at), at, body.length);
    if (result.status !== "complete") throw damaged(at, `there is no whole record (${result.warning.kind})`);
    const { record, bytesRead } = result;
    if (record.lsn !== lsn) throw damaged(at, `it has LSN ${record.lsn} instead of LSN ${lsn}`);
    yield {
      lsn,
      lastSequence: record.sequence + operationCount(record.payload) - 1,
      bytes: body.subarray(at, at + bytesRead),
    };
    at += bytesRead;
  }
}

/** Gathers records into a chunk. */
export class ChunkBuilder {
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #first: Lsn | undefined;
  #last: Omit<ChunkRecord, "bytes"> | undefined;

  get byteLength(): number {
    return this.#bytes;
  }

  /** @param record its bytes are kept, not copied */
  add(record: ChunkRecord): void {
    this.#first ??= record.lsn;
    this.#last = { lsn: record.lsn, lastSequence: record.lastSequence };
    this.#pieces.push(record.bytes);
    this.#bytes += record.bytes.length;
  }

  /** The chunk; undefined if nothing was added. */
  build(): RecordChunk | undefined {
    const [first, last] = [this.#first, this.#last];
    if (first === undefined || last === undefined) return undefined;
    return {
      firstLsn: first,
      lastLsn: last.lsn,
      lastSequence: last.lastSequence,
      lastCrc: crc32c(this.#pieces.at(-1) as Uint8Array),
      bytes: Buffer.concat(this.#pieces),
    };
  }
}
