import type { WalConfig } from "@kaya/core";

/** Writing zeros and then a batch over them costs each byte twice: with larger batches that takes more than the fsync saves. */
const MOST_BATCH_BYTES = 64 * 1024;

/** Small durable batches, one after the other, before any space is made: a store of a few writes stays small. */
const BATCHES_BEFORE = 4;

/** Bytes of the first step in a segment; each later one doubles. */
const FIRST_BYTES = 64 * 1024;

/**
 * Decides how much space is written with zeros behind the log. An fsync of a write that makes a file longer has to commit the file system's
 * journal; over space that was written before, it does not.
 */
export class SpaceAhead {
  readonly #most: number;
  readonly #segmentMaxBytes: number;
  #small = 0;
  #next: number;

  constructor({
    preallocateBytes,
    segmentMaxBytes,
  }: Pick<WalConfig, "preallocateBytes" | "segmentMaxBytes">) {
    this.#most = preallocateBytes;
    this.#segmentMaxBytes = segmentMaxBytes;
    this.#next = this.#first;
  }

  /**
   * Bytes to write behind a batch of `length` bytes, which is to be made durable. It ends at `end`, with `left` bytes of space behind it.
   */
  behind(length: number, end: number, left: number): number {
    this.#small = length > MOST_BATCH_BYTES ? 0 : this.#small + 1;
    if (this.#small <= BATCHES_BEFORE || left > 0) return 0;
    const step = Math.min(this.#next, this.#segmentMaxBytes - end);
    this.#next = Math.min(this.#most, this.#next * 2);
    return Math.max(0, step);
  }

  /** In a new segment, or if the disk has no room: begins again with small steps. */
  restart(): void {
    this.#small = 0;
    this.#next = this.#first;
  }

  get #first(): number {
    return Math.min(FIRST_BYTES, this.#most);
  }
}
