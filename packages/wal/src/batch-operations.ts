import { BATCH_OP, type RangeDelete, type WalOperation, type WalOperations } from "./format.js";
import { isInExtent } from "./key-extent.js";
import { readU64 } from "./u64.js";
import { viewOf } from "./views.js";

/** A `visit` ends early after so many bytes: copying them takes a small part of a turn. */
const VISIT_BYTES = 1024 * 1024;

/** The last of several operations that changes a key, and how many come before it. */
interface LastOperation {
  readonly type: WalOperation["type"];
  readonly behind: number;
  /** Of a put that expires: when, in milliseconds since 1970. */
  readonly expiresAt: number | undefined;
}

/**
 * The operations of a batch in their encoded form. Each is decoded when it is asked for, and none is kept, so
 * that a batch takes no more memory than its bytes. Keys and values are views of the bytes.
 */
export class EncodedOperations implements WalOperations {
  /** The operations as they stand in a BATCH record, behind its count. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  /** How many operations there are. */
  readonly length: number;

  /** @param bytes of `count` operations, one behind the other, which were checked */
  constructor(bytes: Uint8Array, count: number) {
    this.bytes = bytes;
    this.#view = viewOf(bytes);
    this.length = count;
  }

  /** Decodes the operations one by one, in order. */
  *[Symbol.iterator](): IterableIterator<WalOperation> {
    for (let at = 0; at < this.bytes.length; at = this.#end(at)) yield this.#operationAt(at);
  }

  /**
   * The last operation that changes this key, from the one at `at` on. It looks at all of them, and makes an object of none but the range
   * deletes.
   */
  lastOf(key: Uint8Array, at = 0): LastOperation | undefined {
    const [bytes, view] = [this.bytes, this.#view];
    let found: LastOperation | undefined;
    let behind = 0;
    for (let position = at; position < bytes.length; behind++) {
      const code = bytes[position];
      if (code === BATCH_OP.deleteRange) {
        const { type, start, end } = this.#rangeAt(position);
        if (isInExtent(key, start, end)) found = { type, behind, expiresAt: undefined };
        position = this.#end(position);
        continue;
      }
      const isPut = code !== BATCH_OP.delete;
      const keyLength = view.getUint32(position + 1, true);
      const keyStart = this.#keyStart(position);
      if (keyLength === key.length && isAt(bytes, keyStart, key)) {
        const expiresAt = code === BATCH_OP.putExpiring ? readU64(view, position + 9) : undefined;
        found = { type: isPut ? "put" : "delete", behind, expiresAt };
      }
      position = keyStart + keyLength + (isPut ? view.getUint32(position + 5, true) : 0);
    }
    return found;
  }

  /** Up to `count` operations from the one at `at` on, fewer where they are large. @returns where the next one stands */
  visit(at: number, count: number, visitor: (operation: WalOperation) => void): number {
    const until = Math.min(this.bytes.length, at + VISIT_BYTES);
    let position = at;
    for (let left = count; left > 0 && position < until; left--) {
      visitor(this.#operationAt(position));
      position = this.#end(position);
    }
    return position;
  }

  /** The operation number `index`, from 0. */
  operation(index: number): WalOperation {
    let at = 0;
    for (let left = index; left > 0; left--) at = this.#end(at);
    return this.#operationAt(at);
  }

  /** Nothing stands at `at` any more. */
  isEnd(at: number): boolean {
    return at >= this.bytes.length;
  }

  #operationAt(at: number): WalOperation {
    if (this.bytes[at] === BATCH_OP.deleteRange) return this.#rangeAt(at);
    const keyStart = this.#keyStart(at);
    const keyEnd = keyStart + this.#view.getUint32(at + 1, true);
    const key = this.bytes.subarray(keyStart, keyEnd);
    if (this.bytes[at] === BATCH_OP.delete) return { type: "delete", key };
    const value = this.bytes.subarray(keyEnd, keyEnd + this.#view.getUint32(at + 5, true));
    if (this.bytes[at] === BATCH_OP.put) return { type: "put", key, value };
    return { type: "put", key, value, expiresAt: readU64(this.#view, at + 9) };
  }

  #rangeAt(at: number): RangeDelete {
    const startsAt = at + 9;
    const endsAt = startsAt + this.#view.getUint32(at + 1, true);
    const stop = this.#end(at);
    return {
      type: "deleteRange",
      start: this.bytes.subarray(startsAt, endsAt),
      end: endsAt === stop ? undefined : this.bytes.subarray(endsAt, stop),
    };
  }

  /** A delete has one length, the others two; the time of an expiring put follows. */
  #keyStart(at: number): number {
    const code = this.bytes[at];
    if (code === BATCH_OP.put) return at + 9;
    return at + (code === BATCH_OP.delete ? 5 : code === BATCH_OP.putExpiring ? 17 : 9);
  }

  #end(at: number): number {
    const keyEnd = this.#keyStart(at) + this.#view.getUint32(at + 1, true);
    return this.bytes[at] === BATCH_OP.delete ? keyEnd : keyEnd + this.#view.getUint32(at + 5, true);
  }
}

/** The operation number `index`, from 0, of a record. */
export function operationAt(operations: WalOperations, index: number): WalOperation {
  if (operations instanceof EncodedOperations) return operations.operation(index);
  return [...operations][index] as WalOperation; // the caller counted them
}

function isAt(bytes: Uint8Array, start: number, key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key[i]) return false;
  return true;
}
