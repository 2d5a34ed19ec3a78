import type { SequenceNumber } from "@kaya/core";
import { type EntryKind, EXPIRING, PUT, type ValueCopier } from "@kaya/lsm";
import { type Address, type Arena, byteOffset, chunkOf, sizeOf, wordOffset } from "./arena.js";
import { byteAt, itemAt, wordAt } from "./words.js";

// A record in an arena: five words, the bytes of the key, those of the value, and of one that expires the time. Neither a tombstone nor a
// separator has a value.
const SEQUENCE_LOW = 0;
const SEQUENCE_HIGH = 1;
export const KEY_LENGTH_WORD = 2;
export const VALUE_LENGTH_WORD = 3;
/** An `EntryKind`, with APART or without; or FREED. */
const KIND = 4;
export const RECORD_HEADER_BYTES = 20;

const INLINE_BYTES = 32;

/** A chunk's number, or a time, on its way to a record or from there. */
const NUMBER = new Uint8Array(8);
const NUMBER_VIEW = new DataView(NUMBER.buffer);

/** The value is a chunk that the arena adopted: the number of that stands behind the key. */
const APART = 4;
const FREED = 8;
const CHUNK_NUMBER_BYTES = 4;
const TIME_BYTES = 8;

/** What a record takes, before rounding. */
export function recordLength(keyLength: number, valueLength: number, kind: EntryKind = PUT): number {
  return RECORD_HEADER_BYTES + keyLength + valueLength + timeBytes(kind);
}

/** Behind the value, or the number of its chunk. @param kind without APART */
function timeBytes(kind: number): number {
  return kind === EXPIRING ? TIME_BYTES : 0;
}

/** What the record at an address takes, before rounding. A value that stands apart is not in it. */
export function lengthOf(arena: Arena, address: Address): number {
  const words = itemAt(arena.words, chunkOf(address));
  const at = wordOffset(address);
  const kind = wordAt(words, at + KIND);
  const behindKey = kind >= APART ? CHUNK_NUMBER_BYTES : wordAt(words, at + VALUE_LENGTH_WORD);
  return recordLength(wordAt(words, at + KEY_LENGTH_WORD), behindKey, withoutApart(kind));
}

/** Bytes in use for the record at an address, in all. */
export function bytesOf(arena: Arena, address: Address): number {
  const apart = isApart(arena, address) ? valueLengthOf(arena, address) : 0;
  return sizeOf(lengthOf(arena, address)) + apart;
}

export function isApart(arena: Arena, address: Address): boolean {
  return wordAt(itemAt(arena.words, chunkOf(address)), wordOffset(address) + KIND) >= APART;
}

/** Of a record that is not freed. */
function withoutApart(kind: number): EntryKind {
  return (kind & ~APART) as EntryKind;
}

/** @param expiresAt of a record of the kind EXPIRING */
export function addRecord(
  arena: Arena,
  key: Uint8Array,
  value: Uint8Array,
  sequence: SequenceNumber,
  kind: EntryKind = PUT,
  expiresAt = 0,
): Address {
  const address = arena.allocate(recordLength(key.length, value.length, kind));
  const words = itemAt(arena.words, chunkOf(address));
  const at = wordOffset(address);
  setSequence(words, at, sequence);
  words[at + KEY_LENGTH_WORD] = key.length;
  words[at + VALUE_LENGTH_WORD] = value.length;
  words[at + KIND] = kind;
  const bytes = itemAt(arena.bytes, chunkOf(address));
  const start = byteOffset(address) + RECORD_HEADER_BYTES;
  copyInto(bytes, start, key);
  copyInto(bytes, start + key.length, value);
  if (kind === EXPIRING) setTime(bytes, start + key.length + value.length, expiresAt);
  return address;
}

/** Adds a value that becomes the arena's, without a copy. */
export function addRecordOwning(
  arena: Arena,
  key: Uint8Array,
  value: Uint8Array,
  sequence: SequenceNumber,
  kind: EntryKind = PUT,
  expiresAt = 0,
): Address {
  const chunk = arena.adopt(value);
  if (chunk === undefined) return addRecord(arena, key, value, sequence, kind, expiresAt);
  const number = new Uint8Array(CHUNK_NUMBER_BYTES);
  new DataView(number.buffer).setUint32(0, chunk);
  const address = addRecord(arena, key, number, sequence, kind, expiresAt);
  const words = itemAt(arena.words, chunkOf(address));
  words[wordOffset(address) + KIND] = kind | APART;
  words[wordOffset(address) + VALUE_LENGTH_WORD] = value.length;
  return address;
}

/** The number of the chunk that a value which stands apart is. */
function chunkApart(arena: Arena, address: Address): number {
  const at = byteOffset(address) + RECORD_HEADER_BYTES + keyLengthOf(arena, address);
  const bytes = itemAt(arena.bytes, chunkOf(address));
  for (let i = 0; i < CHUNK_NUMBER_BYTES; i++) NUMBER[i] = byteAt(bytes, at + i);
  return NUMBER_VIEW.getUint32(0);
}

/** Frees a record and marks it as freed, for audits. */
export function freeRecord(arena: Arena, address: Address): void {
  const length = lengthOf(arena, address);
  if (isApart(arena, address)) arena.letGo(chunkApart(arena, address));
  const words = itemAt(arena.words, chunkOf(address));
  words[wordOffset(address) + KIND] = FREED;
  arena.free(address, length);
}

export function isFreed(arena: Arena, address: Address): boolean {
  return wordAt(itemAt(arena.words, chunkOf(address)), wordOffset(address) + KIND) === FREED;
}

export function kindOf(arena: Arena, address: Address): EntryKind {
  const kind = wordAt(itemAt(arena.words, chunkOf(address)), wordOffset(address) + KIND);
  return withoutApart(kind);
}

/** When the record expires, in milliseconds since 1970; only of one of the kind EXPIRING. */
export function expiresAtOf(arena: Arena, address: Address): number {
  const end = byteOffset(address) + lengthOf(arena, address);
  const bytes = itemAt(arena.bytes, chunkOf(address));
  for (let i = 0; i < TIME_BYTES; i++) NUMBER[i] = byteAt(bytes, end - TIME_BYTES + i);
  return NUMBER_VIEW.getFloat64(0);
}

/** Whether a value of this length fits the place of the one that is there, and fills it. */
export function fitsInPlace(
  arena: Arena,
  address: Address,
  valueLength: number,
  kind: EntryKind = PUT,
): boolean {
  const words = itemAt(arena.words, chunkOf(address));
  const at = wordOffset(address);
  const before = wordAt(words, at + KIND);
  if (before >= APART) return false;
  const beforeValue = RECORD_HEADER_BYTES + wordAt(words, at + KEY_LENGTH_WORD);
  const length = beforeValue + wordAt(words, at + VALUE_LENGTH_WORD) + timeBytes(before);
  return sizeOf(beforeValue + valueLength + timeBytes(kind)) === sizeOf(length);
}

/** Gives a record another value, which `fitsInPlace`. */
export function overwriteValue(
  arena: Arena,
  address: Address,
  value: Uint8Array,
  sequence: SequenceNumber,
  kind: EntryKind,
  expiresAt = 0,
): void {
  const words = itemAt(arena.words, chunkOf(address));
  const at = wordOffset(address);
  setSequence(words, at, sequence);
  words[at + KIND] = kind;
  words[at + VALUE_LENGTH_WORD] = value.length;
  const bytes = itemAt(arena.bytes, chunkOf(address));
  const start = byteOffset(address) + RECORD_HEADER_BYTES + wordAt(words, at + KEY_LENGTH_WORD);
  bytes.set(value, start);
  if (kind === EXPIRING) setTime(bytes, start + value.length, expiresAt);
}

function setTime(bytes: Uint8Array, at: number, expiresAt: number): void {
  NUMBER_VIEW.setFloat64(0, expiresAt);
  copyInto(bytes, at, NUMBER);
}

export function keyLengthOf(arena: Arena, address: Address): number {
  return wordAt(itemAt(arena.words, chunkOf(address)), wordOffset(address) + KEY_LENGTH_WORD);
}

export function valueLengthOf(arena: Arena, address: Address): number {
  return wordAt(itemAt(arena.words, chunkOf(address)), wordOffset(address) + VALUE_LENGTH_WORD);
}

export function sequenceOf(arena: Arena, address: Address): SequenceNumber {
  const words = itemAt(arena.words, chunkOf(address));
  const at = wordOffset(address);
  return wordAt(words, at + SEQUENCE_HIGH) * 2 ** 32 + (wordAt(words, at + SEQUENCE_LOW) >>> 0);
}

/** A view of the key: it is the arena's, and good until something is freed. */
export function keyOf(arena: Arena, address: Address): Uint8Array {
  const start = byteOffset(address) + RECORD_HEADER_BYTES;
  return itemAt(arena.bytes, chunkOf(address)).subarray(start, start + keyLengthOf(arena, address));
}

/** A view of the value; as `keyOf`. */
export function valueIn(arena: Arena, address: Address): Uint8Array {
  if (isApart(arena, address)) return itemAt(arena.bytes, chunkApart(arena, address));
  const start = byteOffset(address) + RECORD_HEADER_BYTES + keyLengthOf(arena, address);
  return itemAt(arena.bytes, chunkOf(address)).subarray(start, start + valueLengthOf(arena, address));
}

/** A copy of the value, which is the caller's. */
export function copyValue(arena: Arena, address: Address, copier: ValueCopier): Uint8Array {
  if (isApart(arena, address)) {
    const value = itemAt(arena.bytes, chunkApart(arena, address));
    return copier.copy(value, 0, value.length);
  }
  const start = byteOffset(address) + RECORD_HEADER_BYTES + keyLengthOf(arena, address);
  return copier.copy(itemAt(arena.bytes, chunkOf(address)), start, start + valueLengthOf(arena, address));
}

export function hasKey(arena: Arena, address: Address, key: Uint8Array): boolean {
  const chunk = chunkOf(address);
  if (wordAt(itemAt(arena.words, chunk), wordOffset(address) + KEY_LENGTH_WORD) !== key.length) return false;
  const bytes = itemAt(arena.bytes, chunk);
  const start = byteOffset(address) + RECORD_HEADER_BYTES;
  for (let i = 0; i < key.length; i++) {
    if (byteAt(bytes, start + i) !== byteAt(key, i)) return false;
  }
  return true;
}

/** Orders the record's key against `key`, of which the first `from` bytes are known to be equal. */
export function compareKey(arena: Arena, address: Address, key: Uint8Array, from: number): number {
  const chunk = chunkOf(address);
  const length = wordAt(itemAt(arena.words, chunk), wordOffset(address) + KEY_LENGTH_WORD);
  const bytes = itemAt(arena.bytes, chunk);
  const start = byteOffset(address) + RECORD_HEADER_BYTES;
  const shared = Math.min(length, key.length);
  for (let i = from; i < shared; i++) {
    const difference = byteAt(bytes, start + i) - byteAt(key, i);
    if (difference !== 0) return difference;
  }
  return length - key.length;
}

/** Up to some dozen bytes a loop is faster than a call. */
function copyInto(target: Uint8Array, at: number, bytes: Uint8Array): void {
  if (bytes.length > INLINE_BYTES) target.set(bytes, at);
  else for (let i = 0; i < bytes.length; i++) target[at + i] = byteAt(bytes, i);
}

function setSequence(words: Int32Array, at: number, sequence: SequenceNumber): void {
  words[at + SEQUENCE_LOW] = sequence | 0;
  words[at + SEQUENCE_HIGH] = Math.floor(sequence / 2 ** 32);
}
