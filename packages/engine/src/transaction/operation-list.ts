import type { SequenceNumber } from "@kaya/core";
import type { WalOperation } from "@kaya/wal";
import type { Now } from "../clock.js";
import { nameOfBytes } from "../memtable/bytes.js";
import type { Memtable } from "../memtable/memtable.js";
import { isInExtent } from "../range.js";
import { ABSENT, type KeyState } from "../store/key-state.js";

export interface Placed {
  readonly operation: WalOperation;
  readonly sequence: SequenceNumber;
}

/** Operations in the order of the log, found by key: of a few that costs much less than a memtable. It only ever grows. */
export class OperationList {
  readonly #placed: Placed[] = [];
  /** Where the operations on a key stand. */
  readonly #places = new Map<string, number[]>();
  /** Where deletions of ranges stand. */
  readonly #ranges: number[] = [];
  #bytes = 0;

  get length(): number {
    return this.#placed.length;
  }

  /** In keys and values. */
  get bytes(): number {
    return this.#bytes;
  }

  get operations(): readonly WalOperation[] {
    return this.#placed.map(({ operation }) => operation);
  }

  /** Adds a copy. */
  add(given: WalOperation, sequence: SequenceNumber): void {
    const operation = copyOf(given);
    const place = this.#placed.push({ operation, sequence }) - 1;
    if (operation.type === "deleteRange") {
      this.#ranges.push(place);
      return;
    }
    this.#bytes += operation.key.length + (operation.type === "put" ? operation.value.length : 0);
    const name = nameOfBytes(operation.key);
    const places = this.#places.get(name);
    if (places === undefined) this.#places.set(name, [place]);
    else places.push(place);
  }

  /** The last of the first `count` operations that is about a key. */
  lastOn(key: Uint8Array, count: number): Placed | undefined {
    if (this.#placed.length === 0) return undefined;
    const place = this.#places.get(nameOfBytes(key))?.findLast((each) => each < count) ?? -1;
    for (let i = this.#ranges.length - 1; i >= 0; i--) {
      const range = this.#ranges[i] as number; // below the length
      if (range < place) break;
      if (range < count && isIn(key, this.#placed[range] as Placed)) return this.#placed[range];
    }
    return this.#placed[place];
  }

  /** Adds the operations from number `from` to number `to` (not included) to a memtable, with sequences that much higher. */
  addTo(memtable: Memtable, from: number, to: number, above: SequenceNumber): void {
    for (const placed of this.#placed.slice(from, to)) {
      const { operation } = placed;
      const sequence = above + placed.sequence;
      if (operation.type === "put")
        memtable.put(operation.key, operation.value, sequence, false, operation.expiresAt);
      else if (operation.type === "delete") memtable.delete(operation.key, sequence);
      else memtable.deleteRange(operation.start, operation.end, sequence);
    }
  }
}

/** A copy of the value that an operation leaves; null where it deletes it, or it has expired. As `Memtable.get`. */
export function valueBy({ operation }: Placed, now: Now): Uint8Array | null {
  if (operation.type !== "put") return null;
  const { value, expiresAt } = operation;
  return expiresAt !== undefined && expiresAt <= now() ? null : new Uint8Array(value);
}

export function stateBy({ operation, sequence }: Placed): KeyState {
  return operation.type === "put" ? { sequence, expiresAt: operation.expiresAt } : ABSENT;
}

function isIn(key: Uint8Array, { operation }: Placed): boolean {
  return operation.type === "deleteRange" && isInExtent(operation, key);
}

function copyOf(operation: WalOperation): WalOperation {
  if (operation.type === "put")
    return { ...operation, key: new Uint8Array(operation.key), value: new Uint8Array(operation.value) };
  if (operation.type === "delete") return { type: "delete", key: new Uint8Array(operation.key) };
  const { start, end } = operation;
  return { type: "deleteRange", start: new Uint8Array(start), end: end && new Uint8Array(end) };
}
