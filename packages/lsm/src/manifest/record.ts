import { crc32c } from "@kaya/core";
import { decodePayload, encodePayload, MalformedPayload, type ManifestPayload } from "./payload.js";

export const MANIFEST_HEADER_BYTES = 40;
export const MANIFEST_VERSION = 1;
/** On disk `4b 59 4d 46`. */
const MAGIC = 0x464d594b;
const HEADER_CRC_AT = 32;
const NO_CRC = new Uint8Array(4);

const TYPES = { SNAPSHOT: 1, EDIT: 2 } as const;

/** The type of a manifest's record: `SNAPSHOT` has the whole state, `EDIT` a change of it. */
export type ManifestRecordType = keyof typeof TYPES;

export interface ManifestRecord {
  readonly type: ManifestRecordType;
  /** The number in the name of the file that it was written for. */
  readonly manifest: number;
  /** 1, 2, 3 … over all manifests of a tree. */
  readonly number: number;
  readonly payload: ManifestPayload;
}

/** What is wrong with the bytes at an offset, in the order of the checks (MANIFEST.md). */
export type ManifestDamageKind =
  | "PartialHeader"
  | "BadMagic"
  | "BadHeaderChecksum"
  | "UnsupportedVersion"
  | "WrongManifest"
  | "WrongNumber"
  | "PartialPayload"
  | "BadPayloadChecksum"
  | "MalformedPayload"
  | "DoesNotFit";

/** The expected place of a record. */
export interface ExpectedRecord {
  readonly manifest?: number | undefined;
  readonly number?: number | undefined;
}

/** What is wrong with a manifest. */
export interface ManifestDamage {
  /** The check that failed. */
  readonly kind: ManifestDamageKind;
  /** Offset of the record that is wrong. */
  readonly offset: number;
  /** The damage in words. */
  readonly message: string;
  /** Bytes of the record by its header; absent where the header does not hold, or belongs elsewhere. */
  readonly length?: number;
}

export type DecodedRecord =
  | { readonly record: ManifestRecord; readonly length: number; readonly damage?: undefined }
  | { readonly damage: ManifestDamage };

export function encodeManifestRecord({ type, manifest, number, payload }: ManifestRecord): Uint8Array {
  const body = encodePayload(payload);
  const bytes = new Uint8Array(MANIFEST_HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, MANIFEST_VERSION, true);
  view.setUint16(6, MANIFEST_HEADER_BYTES, true);
  view.setUint16(8, TYPES[type], true);
  view.setUint16(10, 0, true);
  view.setBigUint64(12, BigInt(manifest), true);
  view.setBigUint64(20, BigInt(number), true);
  view.setUint32(28, body.length, true);
  view.setUint32(36, crc32c(body), true);
  view.setUint32(HEADER_CRC_AT, headerCrc(bytes, 0), true);
  bytes.set(body, MANIFEST_HEADER_BYTES);
  return bytes;
}

/** The record at `offset`. The caller checks whether its type and edit fit. */
export function decodeManifestRecord(
  bytes: Uint8Array,
  offset: number,
  expected: ExpectedRecord = {},
): DecodedRecord {
  const damaged = (kind: ManifestDamageKind, message: string, length?: number): DecodedRecord => ({
    damage: { kind, offset, message, ...(length !== undefined && { length }) },
  });
  const left = bytes.length - offset;
  if (left < MANIFEST_HEADER_BYTES)
    return damaged("PartialHeader", `${left} bytes are left, and a header has ${MANIFEST_HEADER_BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, left);
  const magic = view.getUint32(0, true);
  if (magic !== MAGIC)
    return damaged("BadMagic", `no record begins here (found ${hex(magic)} for the magic)`);
  const stored = view.getUint32(HEADER_CRC_AT, true);
  const actual = headerCrc(bytes, offset);
  if (stored !== actual)
    return damaged(
      "BadHeaderChecksum",
      `the header's checksum is wrong (the bytes give ${hex(actual)}, the record stores ${hex(stored)})`,
    );
  const unknown = unknownFormat(view);
  if (unknown !== undefined) return damaged("UnsupportedVersion", unknown);
  const [manifest, number] = [Number(view.getBigUint64(12, true)), Number(view.getBigUint64(20, true))];
  if (expected.manifest !== undefined && manifest !== expected.manifest)
    return damaged("WrongManifest", `a record of manifest ${manifest} stands here`);
  if (expected.number !== undefined && number !== expected.number)
    return damaged("WrongNumber", `record ${number} stands where ${expected.number} must`);
  const length = MANIFEST_HEADER_BYTES + view.getUint32(28, true);
  if (length > left)
    return damaged("PartialPayload", `the record has ${length} bytes, and ${left} are left`, length);
  const body = bytes.subarray(offset + MANIFEST_HEADER_BYTES, offset + length);
  const [storedBody, actualBody] = [view.getUint32(36, true), crc32c(body)];
  if (storedBody !== actualBody)
    return damaged(
      "BadPayloadChecksum",
      `the payload's checksum is wrong (the bytes give ${hex(actualBody)}, the record stores ${hex(storedBody)})`,
      length,
    );
  try {
    const type = view.getUint16(8, true) === TYPES.SNAPSHOT ? "SNAPSHOT" : "EDIT";
    const payload = decodePayload(body);
    return { record: { type, manifest, number, payload }, length };
  } catch (error) {
    if (!(error instanceof MalformedPayload)) throw error;
    return damaged("MalformedPayload", `the payload is malformed: ${error.message}`, length);
  }
}

/**
 * The offset of the first record behind `offset` that is whole and was written for this manifest; undefined where there is none.
 * Bytes of an older one prove nothing: a crash may leave old disk content.
 */
export function findRecordBehind(
  bytes: Uint8Array,
  offset: number,
  manifest: number | undefined,
): number | undefined {
  const magic = Buffer.from([0x4b, 0x59, 0x4d, 0x46]);
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = haystack.indexOf(magic, offset + 1); at !== -1; at = haystack.indexOf(magic, at + 1)) {
    if (decodeManifestRecord(bytes, at, { manifest }).damage === undefined) return at;
  }
  return undefined;
}

function unknownFormat(view: DataView): string | undefined {
  const version = view.getUint16(4, true);
  if (version !== MANIFEST_VERSION) return `format version ${version} is not known to this code`;
  const headerLength = view.getUint16(6, true);
  if (headerLength !== MANIFEST_HEADER_BYTES) return `the header says that it has ${headerLength} bytes`;
  const type = view.getUint16(8, true);
  if (type !== TYPES.SNAPSHOT && type !== TYPES.EDIT) return `record type ${type} is not known to this code`;
  const flags = view.getUint16(10, true);
  return flags === 0 ? undefined : `unknown flags ${hex(flags)}`;
}

/** CRC-32C of the header with its own field as zero. */
function headerCrc(bytes: Uint8Array, offset: number): number {
  const before = crc32c(bytes.subarray(offset, offset + HEADER_CRC_AT));
  const behind = bytes.subarray(offset + HEADER_CRC_AT + 4, offset + MANIFEST_HEADER_BYTES);
  return crc32c(behind, crc32c(NO_CRC, before));
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
