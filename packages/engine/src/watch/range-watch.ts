import type { Extent } from "@kaya/lsm";
import { compareBytes } from "../memtable/bytes.js";
import { earlier, isInExtent } from "../range.js";
import { type KeyChange, PendingChanges, type RangeDeletion, type WatchChange } from "./pending-changes.js";
import { Watch } from "./watch.js";
import type { Watched } from "./watches.js";

/** The changes of a range, by key: first the entries that it has, then what changes. */
export class RangeWatch extends Watch<WatchChange> {
  readonly #watched: Watched;
  readonly #extent: Extent;
  readonly #mostBytes: number;
  readonly #wantsInitial: boolean;
  /** Entries that were there at the beginning, as far as they were not told yet. */
  #entries: AsyncIterator<KeyChange, undefined> | undefined;
  /** Of a write that readers do not see yet. */
  readonly #staged = new PendingChanges();
  readonly #pending = new PendingChanges();
  /** It is too far behind: what is pending was dropped, and it begins anew. */
  #isLost = false;

  /** @internal Made by `Engine.watch`. */
  constructor(
    watched: Watched,
    extent: Extent,
    options: { signal: AbortSignal | undefined; initial: boolean; mostBytes: number },
  ) {
    super(watched, options.signal);
    this.#watched = watched;
    this.#extent = extent;
    this.#mostBytes = options.mostBytes;
    this.#wantsInitial = options.initial;
  }

  /** @internal */
  covers(key: Uint8Array): boolean {
    return isInExtent(this.#extent, key);
  }

  /** The part of a deletion that is about this range. @internal */
  partOf({ start, end, sequence }: Omit<RangeDeletion, "type">): RangeDeletion | undefined {
    const from = compareBytes(start, this.#extent.start) < 0 ? this.#extent.start : start;
    const to = earlier(end, this.#extent.end);
    if (to !== undefined && compareBytes(from, to) >= 0) return undefined;
    return { type: "deleteRange", start: new Uint8Array(from), end: to && new Uint8Array(to), sequence };
  }

  /** @internal */
  stage(change: WatchChange): void {
    if (this.#isLost) return;
    this.#staged.add(change);
    if (this.#staged.bytes > this.#mostBytes) this.#lose();
  }

  /** What was staged can be read now. @internal */
  publish(): void {
    if (!this.#isLost) {
      this.#pending.absorb(this.#staged);
      if (this.#pending.bytes > this.#mostBytes) this.#lose();
    }
    this.wake();
  }

  protected async begin(): Promise<void> {
    await this.#watched.whenSettled(() => {
      this.#watched.addRange(this);
      if (this.#wantsInitial) this.#entries = this.#watched.entries(this.#extent);
    });
  }

  protected take(): WatchChange | undefined | Promise<WatchChange | undefined> {
    if (this.#isLost) return this.#beginAnew();
    return this.#entries === undefined ? this.#pending.take() : this.#takeEntry(this.#entries);
  }

  protected letGo(): void {
    this.#pending.clear();
    this.#staged.clear();
    this.#entries?.return?.().catch(() => undefined); // nobody reads it any more
    this.#entries = undefined;
  }

  async #takeEntry(entries: AsyncIterator<KeyChange, undefined>): Promise<WatchChange | undefined> {
    const { done, value } = await entries.next();
    if (done !== true) return value;
    this.#entries = undefined;
    return this.#isLost ? this.#beginAnew() : this.#pending.take();
  }

  /** As if all of it had been deleted, and what is there now written. */
  async #beginAnew(): Promise<WatchChange> {
    this.#entries?.return?.().catch(() => undefined);
    return this.#watched.whenSettled(() => {
      this.#isLost = false;
      this.#entries = this.#watched.entries(this.#extent);
      const { start, end } = this.#extent;
      return {
        type: "deleteRange",
        start: start.slice(),
        end: end?.slice(),
        sequence: this.#watched.sequence,
      };
    });
  }

  #lose(): void {
    this.#isLost = true;
    this.#pending.clear();
    this.#staged.clear();
  }
}
