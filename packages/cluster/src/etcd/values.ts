import { crc32c, KayaError } from "@kaya/core";
import type { StoredBase, StoredHead } from "../log-rules.js";
import type { EpochStart, LogBase, LogEntry, LogHead, NodeInfo } from "../shared-log.js";
import type { KeyValue } from "./protocol.js";

const FORMAT = 1;
const MAGIC = 0x4b61_7961; // "Kaya"
const ENTRY_HEADER_BYTES = 32;

/** Encodes the head as JSON. The epoch starts are short, because each append writes them. */
export function encodeHead(head: StoredHead): Buffer {
  const { starts, ...rest } = head;
  return json({ ...rest, starts: starts.map(({ epoch, lsn, writer }) => [epoch, lsn, writer]) });
}

/** @throws KayaError KAYA_CORRUPTION if Kaya did not write the key */
export function decodeHead(log: string, kv: KeyValue): LogHead {
  const value = parse(log, kv);
  const { epoch, lsn, sequence, logId, writer, address, bytes, starts } = value;
  const isWhole =
    [epoch, lsn, sequence, bytes].every(isCount) && [logId, writer].every(isText) && Array.isArray(starts);
  if (!isWhole) throw foreign(log, kv, "it has no epoch, LSN, log id or writer");
  return {
    epoch: epoch as number,
    lsn: lsn as number,
    sequence: sequence as number,
    logId: logId as string,
    writer: writer as string,
    address: isText(address) ? address : undefined,
    bytes: bytes as number,
    starts: (starts as unknown[]).map((start) => decodeStart(log, kv, start)),
    version: kv.modRevision,
  };
}

/** The value of the base's key: the epoch of the last claim, and the base if there is one. */
export interface BaseValue {
  readonly claimed: number;
  readonly base: LogBase | undefined;
}

/** Encodes the base as JSON. */
export function encodeBase(claimed: number, base: StoredBase | undefined): Buffer {
  if (base === undefined) return json({ claimed });
  const { lsn, sequence, bytes, epoch, name } = base;
  return json({ claimed, lsn, sequence, bytes, epoch, name });
}

/** @throws KayaError KAYA_CORRUPTION if Kaya did not write the key */
export function decodeBase(log: string, kv: KeyValue): BaseValue {
  const { claimed, lsn, sequence, bytes, epoch, name } = parse(log, kv);
  if (!isCount(claimed)) throw foreign(log, kv, "it has no epoch");
  if (name === undefined) return { claimed, base: undefined };
  if (!isCount(lsn) || !isCount(sequence) || !isCount(bytes) || !isCount(epoch) || !isText(name))
    throw foreign(log, kv, "it has no LSN, epoch or name");
  return { claimed, base: { lsn, sequence, bytes, epoch, name, version: kv.modRevision } };
}

/** Encodes a node as JSON. */
export function encodeNode({ id, address, role, isFollowerOnly, lsn }: NodeInfo): Buffer {
  return json({ id, address, role, isFollowerOnly, lsn });
}

/** @throws KayaError KAYA_CORRUPTION if Kaya did not write the key */
export function decodeNode(log: string, kv: KeyValue): NodeInfo {
  const { id, address, role, isFollowerOnly, lsn } = parse(log, kv);
  if (!isText(id) || (role !== "writer" && role !== "follower") || !isCount(lsn))
    throw foreign(log, kv, "it has no id, role or LSN");
  return {
    id,
    address: isText(address) ? address : undefined,
    role,
    isFollowerOnly: isFollowerOnly === true,
    lsn,
  };
}

/** Encodes the id of the node that was asked to become the writer, as JSON. */
export function encodeWanted(id: string): Buffer {
  return json({ id });
}

/** @throws KayaError KAYA_CORRUPTION if Kaya did not write the key */
export function decodeWanted(log: string, kv: KeyValue): string {
  const { id } = parse(log, kv);
  if (!isText(id)) throw foreign(log, kv, "it has no id");
  return id;
}

/** Encodes an entry: a header of 32 bytes, then the records. */
export function encodeEntry(entry: LogEntry): Buffer {
  const value = Buffer.allocUnsafe(ENTRY_HEADER_BYTES + entry.bytes.length);
  value.writeUInt32LE(MAGIC, 0);
  value.writeUInt32LE(FORMAT, 4);
  value.writeBigUInt64LE(BigInt(entry.firstLsn), 8);
  value.writeBigUInt64LE(BigInt(entry.lastSequence), 16);
  value.writeUInt32LE(entry.bytes.length, 24);
  value.writeUInt32LE(headerChecksum(value, entry.lastLsn), 28);
  value.set(entry.bytes, ENTRY_HEADER_BYTES);
  return value;
}

/** @throws KayaError KAYA_CORRUPTION if Kaya did not write the key */
export function decodeEntry(log: string, lastLsn: number, value: Buffer): LogEntry {
  const isWhole =
    value.length > ENTRY_HEADER_BYTES &&
    value.readUInt32LE(0) === MAGIC &&
    value.readUInt32LE(24) === value.length - ENTRY_HEADER_BYTES &&
    value.readUInt32LE(28) === headerChecksum(value, lastLsn);
  if (!isWhole)
    throw new KayaError("KAYA_CORRUPTION", `${log}: entry ${lastLsn} of the log is damaged: restore etcd`);
  if (value.readUInt32LE(4) !== FORMAT)
    throw new KayaError("KAYA_UNSUPPORTED_VERSION", `${log}: a newer version of Kaya wrote entry ${lastLsn}`);
  return {
    firstLsn: Number(value.readBigUInt64LE(8)),
    lastLsn,
    lastSequence: Number(value.readBigUInt64LE(16)),
    bytes: value.subarray(ENTRY_HEADER_BYTES),
  };
}

// The checksum also covers the LSN, which is in the key.
function headerChecksum(value: Buffer, lastLsn: number): number {
  const checked = Buffer.alloc(36);
  value.copy(checked, 0, 0, 28);
  checked.writeBigUInt64LE(BigInt(lastLsn), 28);
  return crc32c(checked);
}

function decodeStart(log: string, kv: KeyValue, start: unknown): EpochStart {
  const [epoch, lsn, writer] = Array.isArray(start) ? (start as unknown[]) : [];
  if (!isCount(epoch) || !isCount(lsn) || !isText(writer))
    throw foreign(log, kv, "one of its epochs cannot be read");
  return { epoch, lsn, writer };
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify({ format: FORMAT, ...value }));
}

function parse(log: string, kv: KeyValue): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(kv.value.toString());
  } catch (cause) {
    throw foreign(log, kv, "it is not JSON", cause);
  }
  if (typeof value !== "object" || value === null) throw foreign(log, kv, "it is not an object");
  const { format } = value as { format?: unknown };
  if (typeof format === "number" && format > FORMAT)
    throw new KayaError(
      "KAYA_UNSUPPORTED_VERSION",
      `${log}: a newer version of Kaya wrote ${kv.key.toString()}`,
    );
  if (format !== FORMAT) throw foreign(log, kv, "it has no format that Kaya knows");
  return value as Record<string, unknown>;
}

function foreign(log: string, kv: KeyValue, found: string, cause?: unknown): KayaError {
  const message = `${log}: Kaya did not write the value of key ${kv.key.toString()}: ${found}. Does another program use the prefix?`;
  return new KayaError("KAYA_CORRUPTION", message, { cause });
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length > 0;
}
