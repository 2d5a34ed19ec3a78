import type { SequenceNumber } from "@kaya/core";
import { commonPrefix, copyBytes, copyInto, headOf } from "../bytes.js";
import type { EntryKind } from "../entry.js";
import { DATA_TAIL_BYTES } from "./data-block.js";
import { RESTART_INTERVAL } from "./format.js";
import { MAX_VARINT_BYTES, varintLength, writeVarint } from "./varint.js";

/** Lays entries out in one block: see "A data block" in TABLE.md. */
export class DataBlockBuilder {
  #bytes: Uint8Array;
  #length = 0;
  #count = 0;
  #restarts: number[] = [];
  #restartKeys: Uint8Array[] = [];
  #sequences: SequenceNumber[] = [];
  #smallest = 0;
  #largest = 0;

  constructor(blockBytes: number) {
    this.#bytes = new Uint8Array(blockBytes);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of the block if the entry were its last one. @param shared what the key has in common with the one before it */
  lengthWith(key: Uint8Array, shared: number, value: Uint8Array, sequence: SequenceNumber): number {
    const isRestart = this.#count % RESTART_INTERVAL === 0;
    const inCommon = isRestart ? 0 : shared;
    const own = key.length - inCommon;
    const entry =
      varintLength(inCommon) + varintLength(own) + varintLength(value.length * 2 + 1) + own + value.length;
    const isFirst = this.#count === 0;
    const smallest = isFirst ? sequence : Math.min(this.#smallest, sequence);
    const largest = isFirst ? sequence : Math.max(this.#largest, sequence);
    const column = (this.#count + 1) * widthOf(largest - smallest);
    const restarts = (this.#restarts.length + (isRestart ? 1 : 0)) * 8;
    return this.#length + entry + column + restarts + DATA_TAIL_BYTES;
  }

  /** The caller has checked the order. */
  add(key: Uint8Array, shared: number, kind: EntryKind, sequence: SequenceNumber, value: Uint8Array): void {
    let inCommon = shared;
    if (this.#count % RESTART_INTERVAL === 0) {
      inCommon = 0;
      this.#restarts.push(this.#length);
      this.#restartKeys.push(copyBytes(key));
    }
    const own = key.length - inCommon;
    this.#makeRoom(3 * MAX_VARINT_BYTES + own + value.length);
    const bytes = this.#bytes;
    let at = writeVarint(bytes, this.#length, inCommon);
    at = writeVarint(bytes, at, own);
    at = writeVarint(bytes, at, value.length * 2 + kind);
    copyInto(bytes, at, key, inCommon, key.length);
    at += own;
    copyInto(bytes, at, value, 0, value.length);
    this.#length = at + value.length;
    this.#smallest = this.#count === 0 ? sequence : Math.min(this.#smallest, sequence);
    this.#largest = this.#count === 0 ? sequence : Math.max(this.#largest, sequence);
    this.#sequences.push(sequence);
    this.#count++;
  }

  /**
   * The whole block, lent until the next `add`; the next one begins empty.
   * @param last its last key
   */
  finish(last: Uint8Array): Uint8Array {
    const width = widthOf(this.#largest - this.#smallest);
    const headsAt = this.#length + this.#count * width;
    const restartsAt = headsAt + this.#restarts.length * 4;
    const tailAt = restartsAt + this.#restarts.length * 4;
    this.#makeRoom(tailAt + DATA_TAIL_BYTES - this.#length);
    this.#writeColumn(width);
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
    const inCommon = Math.min(0xffff, commonPrefix(this.#restartKeys[0] ?? last, last));
    for (const [i, restart] of this.#restarts.entries()) {
      const key = this.#restartKeys[i] as Uint8Array;
      view.setUint32(headsAt + 4 * i, headOf(key, inCommon, key.length), true);
      view.setUint32(restartsAt + 4 * i, restart, true);
    }
    view.setBigUint64(tailAt, BigInt(this.#smallest), true);
    view.setUint32(tailAt + 8, this.#count, true);
    view.setUint8(tailAt + 12, width);
    view.setUint8(tailAt + 13, RESTART_INTERVAL);
    view.setUint16(tailAt + 14, inCommon, true);
    this.#length = 0;
    this.#count = 0;
    this.#restarts = [];
    this.#restartKeys = [];
    this.#sequences = [];
    return this.#bytes.subarray(0, tailAt + DATA_TAIL_BYTES);
  }

  #writeColumn(width: number): void {
    if (width === 0) return;
    let at = this.#length;
    for (const sequence of this.#sequences) {
      let rest = sequence - this.#smallest;
      for (let i = 0; i < width; i++) {
        this.#bytes[at++] = rest % 256;
        rest = Math.floor(rest / 256);
      }
    }
  }

  #makeRoom(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + more));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** Bytes that a number takes; none for 0. */
function widthOf(value: number): number {
  let width = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) width++;
  return width;
}
