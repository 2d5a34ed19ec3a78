import { compareBytes } from "../bytes.js";
import type { RangeTombstone } from "../entry.js";
import { compareEnds } from "./compare.js";

/**
 * Range tombstones as disjoint pieces, each with the highest sequence that covers it: what a lower one in the same place hides,
 * the highest hides too. So a look-up is one binary search, however they overlap.
 */
export class Skyline {
  /** Sorted and disjoint. Two that touch have different sequences. */
  readonly pieces: readonly RangeTombstone[];

  private constructor(pieces: readonly RangeTombstone[]) {
    this.pieces = pieces;
  }

  /** A skyline without range tombstones. */
  static readonly EMPTY: Skyline = new Skyline([]);

  /** The skyline of some range tombstones. It takes n log n steps. */
  static of(tombstones: readonly RangeTombstone[]): Skyline {
    return tombstones.length === 0 ? Skyline.EMPTY : new Skyline(sweep(tombstones));
  }

  /** True if there are no range tombstones. */
  get isEmpty(): boolean {
    return this.pieces.length === 0;
  }

  /** The piece that `key` is in. */
  covering(key: Uint8Array): RangeTombstone | undefined {
    const piece = this.pieces[this.#firstEndingAfter(key)];
    return piece !== undefined && compareBytes(piece.start, key) <= 0 ? piece : undefined;
  }

  /** Whether every entry from `start` up to `end` with a sequence up to `sequence` is hidden. */
  hidesAll(start: Uint8Array, end: Uint8Array | undefined, sequence: number): boolean {
    let from = start;
    for (let i = this.#firstEndingAfter(start); i < this.pieces.length; i++) {
      const piece = this.pieces[i] as RangeTombstone; // i is below the length
      if (compareBytes(piece.start, from) > 0 || piece.sequence <= sequence) return false;
      if (compareEnds(piece.end, end) >= 0) return true;
      from = piece.end as Uint8Array; // another end is behind it
    }
    return false;
  }

  #firstEndingAfter(key: Uint8Array): number {
    let [low, high] = [0, this.pieces.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { end } = this.pieces[middle] as RangeTombstone; // middle is below the length
      if (end === undefined || compareBytes(key, end) < 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** From one boundary to the next the highest of those that are open there counts. */
function sweep(tombstones: readonly RangeTombstone[]): RangeTombstone[] {
  const byStart = tombstones
    .filter(({ start, end }) => end === undefined || compareBytes(start, end) < 0)
    .sort((a, b) => compareBytes(a.start, b.start));
  const boundaries = boundariesOf(byStart);
  const open = new HighestFirst();
  const pieces: RangeTombstone[] = [];
  let next = 0;
  for (const [index, start] of boundaries.entries()) {
    for (
      let opened = byStart[next];
      opened && compareBytes(opened.start, start) === 0;
      opened = byStart[next]
    ) {
      open.add(opened);
      next++;
    }
    const highest = open.highestBehind(start);
    if (highest === undefined) continue;
    const { sequence } = highest;
    const end = boundaries[index + 1]; // behind the last boundary only unbounded ones are open
    const last = pieces.at(-1);
    if (last?.sequence === sequence && last.end !== undefined && compareBytes(last.end, start) === 0)
      pieces[pieces.length - 1] = { start: last.start, end, sequence };
    else pieces.push({ start, end, sequence });
  }
  return pieces;
}

function boundariesOf(tombstones: readonly RangeTombstone[]): Uint8Array[] {
  const keys = tombstones.flatMap(({ start, end }) => (end === undefined ? [start] : [start, end]));
  keys.sort(compareBytes);
  return keys.filter((key, index) => index === 0 || compareBytes(keys[index - 1] as Uint8Array, key) !== 0);
}

/** A binary heap that drops ended tombstones only when they reach the top. */
class HighestFirst {
  readonly #heap: RangeTombstone[] = [];

  add(tombstone: RangeTombstone): void {
    const heap = this.#heap;
    let at = heap.push(tombstone) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#sequence(parent) >= this.#sequence(at)) return;
      this.#swap(parent, at);
      at = parent;
    }
  }

  /** The highest that reaches beyond `key`. */
  highestBehind(key: Uint8Array): RangeTombstone | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined || top.end === undefined || compareBytes(key, top.end) < 0) return top;
      this.#removeTop();
    }
  }

  #removeTop(): void {
    const heap = this.#heap;
    const last = heap.pop() as RangeTombstone; // it is not empty
    if (heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ; ) {
      let child = 2 * at + 1;
      if (child >= heap.length) return;
      if (child + 1 < heap.length && this.#sequence(child + 1) > this.#sequence(child)) child++;
      if (this.#sequence(at) >= this.#sequence(child)) return;
      this.#swap(at, child);
      at = child;
    }
  }

  #sequence(at: number): number {
    return (this.#heap[at] as RangeTombstone).sequence; // callers stay below the length
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap;
    [heap[a], heap[b]] = [heap[b] as RangeTombstone, heap[a] as RangeTombstone];
  }
}
