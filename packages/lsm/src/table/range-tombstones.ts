import type { SequenceNumber } from "@kaya/core";
import { compareBytes, copyBytes } from "../bytes.js";
import type { RangeTombstone } from "../entry.js";
import { corruption } from "./format.js";

/**
 * Cuts range tombstones that overlap into fragments that do not, in order, each with the newest sequence of those that cover it. So a
 * binary search finds the one that covers a key. Neighbours with the same sequence are joined.
 */
export function fragment(tombstones: readonly RangeTombstone[]): RangeTombstone[] {
  const bounds = boundsOf(tombstones);
  const byStart = [...tombstones].sort((a, b) => compareBytes(a.start, b.start));
  const covering = new Covering();
  const fragments: RangeTombstone[] = [];
  let next = 0;
  for (const [i, start] of bounds.entries()) {
    for (; next < byStart.length; next++) {
      const tombstone = byStart[next] as RangeTombstone;
      if (compareBytes(tombstone.start, start) > 0) break;
      covering.add(tombstone);
    }
    const sequence = covering.newestAt(start);
    if (sequence > 0) append(fragments, { start, end: bounds[i + 1], sequence });
  }
  return fragments;
}

/** Every start and end, once, in order. */
function boundsOf(tombstones: readonly RangeTombstone[]): Uint8Array[] {
  const all = tombstones
    .flatMap(({ start, end }) => (end === undefined ? [start] : [start, end]))
    .sort(compareBytes);
  return all
    .filter((bound, i) => i === 0 || compareBytes(bound, all[i - 1] as Uint8Array) !== 0)
    .map(copyBytes);
}

function append(fragments: RangeTombstone[], next: RangeTombstone): void {
  const last = fragments[fragments.length - 1];
  const goesOn =
    last?.end !== undefined && last.sequence === next.sequence && compareBytes(last.end, next.start) === 0;
  if (goesOn) fragments[fragments.length - 1] = { ...last, end: next.end };
  else fragments.push(next);
}

/** A heap with the newest tombstone on top; ended ones are removed when they get there. */
class Covering {
  readonly #heap: RangeTombstone[] = [];

  add(tombstone: RangeTombstone): void {
    const heap = this.#heap;
    let at = heap.push(tombstone) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (sequenceIn(heap, parent) >= tombstone.sequence) break;
      heap[at] = heap[parent] as RangeTombstone;
      at = parent;
    }
    heap[at] = tombstone;
  }

  /** 0 where none covers `key`. Keys have to come in order. */
  newestAt(key: Uint8Array): SequenceNumber {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return 0;
      if (top.end === undefined || compareBytes(top.end, key) > 0) return top.sequence;
      this.#removeTop();
    }
  }

  #removeTop(): void {
    const heap = this.#heap;
    const last = heap.pop() as RangeTombstone;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && sequenceIn(heap, child + 1) > sequenceIn(heap, child)) child++;
      if (last.sequence >= sequenceIn(heap, child)) break;
      heap[at] = heap[child] as RangeTombstone;
      at = child;
    }
    heap[at] = last;
  }
}

function sequenceIn(heap: readonly RangeTombstone[], at: number): SequenceNumber {
  return (heap[at] as RangeTombstone).sequence;
}

/** The sequence of the fragment that covers `key`; 0 where none does. */
export function coveringSequence(fragments: readonly RangeTombstone[], key: Uint8Array): SequenceNumber {
  let low = 0;
  let high = fragments.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const { start, end, sequence } = fragments[middle] as RangeTombstone;
    if (compareBytes(key, start) < 0) high = middle - 1;
    else if (end !== undefined && compareBytes(key, end) >= 0) low = middle + 1;
    else return sequence;
  }
  return 0;
}

const HEAD_BYTES = 16;
const NO_END = 0xffff_ffff;

/** A count, then each fragment: its sequence, the lengths of its keys, the keys. */
export function encodeRangeTombstones(fragments: readonly RangeTombstone[]): Uint8Array {
  const length = fragments.reduce(
    (sum, { start, end }) => sum + HEAD_BYTES + start.length + (end?.length ?? 0),
    4,
  );
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, fragments.length, true);
  let at = 4;
  for (const { start, end, sequence } of fragments) {
    view.setBigUint64(at, BigInt(sequence), true);
    view.setUint32(at + 8, start.length, true);
    view.setUint32(at + 12, end?.length ?? NO_END, true);
    bytes.set(start, at + HEAD_BYTES);
    bytes.set(end ?? [], at + HEAD_BYTES + start.length);
    at += HEAD_BYTES + start.length + (end?.length ?? 0);
  }
  return bytes;
}

/** @throws KayaError KAYA_CORRUPTION, also where the fragments are not in order */
export function decodeRangeTombstones(bytes: Uint8Array, path: string, offset: number): RangeTombstone[] {
  const damaged = () => corruption(path, offset, "range tombstones that no writer writes");
  if (bytes.length < 4) throw damaged();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  const fragments: RangeTombstone[] = [];
  let at = 4;
  let previousEnd: Uint8Array | undefined = new Uint8Array(0);
  while (fragments.length < count) {
    if (at + HEAD_BYTES > bytes.length) throw damaged();
    const sequence = view.getBigUint64(at, true);
    const startLength = view.getUint32(at + 8, true);
    const endLength = view.getUint32(at + 12, true);
    at += HEAD_BYTES;
    const keyBytes = startLength + (endLength === NO_END ? 0 : endLength);
    if (at + keyBytes > bytes.length || sequence === 0n || sequence > BigInt(Number.MAX_SAFE_INTEGER))
      throw damaged();
    const start = bytes.slice(at, at + startLength);
    const end = endLength === NO_END ? undefined : bytes.slice(at + startLength, at + keyBytes);
    at += keyBytes;
    const isInOrder = previousEnd !== undefined && compareBytes(previousEnd, start) <= 0;
    if (!isInOrder || (end !== undefined && compareBytes(start, end) >= 0)) throw damaged();
    previousEnd = end;
    fragments.push({ start, end, sequence: Number(sequence) });
  }
  if (at !== bytes.length) throw damaged();
  return fragments;
}
