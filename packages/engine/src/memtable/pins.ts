import type { SequenceNumber } from "@kaya/core";
import type { PieceList } from "./range-tombstones.js";
import { itemAt } from "./words.js";

/** A thing that left the present: the address of a record, the number of a node, or an object. */
export type Retired = number | { readonly birth: SequenceNumber; readonly bytes: number };

/** What `Pins` must know of a sort of thing. */
export interface Kind<Item extends Retired> {
  /** The memtable's time when the thing was made, or earlier. */
  birthOf(item: Item): SequenceNumber;
  bytesOf(item: Item): number;
  free(item: Item): void;
}

/** What the memtable is at a point in time. */
export interface State {
  readonly time: SequenceNumber;
  readonly root: number;
  readonly pieces: PieceList;
  /** Of entries. */
  readonly size: number;
}

/** A state that somebody looks at, and what is kept for it alone. */
export class Pin {
  readonly state: State;
  /** By kind. */
  readonly kept: readonly Retired[][];
  holders = 1;

  constructor(state: State, kinds: number) {
    this.state = state;
    this.kept = Array.from({ length: kinds }, () => []);
  }

  get time(): SequenceNumber {
    return this.state.time;
  }
}

/** Things of closed snapshots that are handed on or freed: with each change, and in a turn of the event loop: well under a millisecond. */
const PER_CHANGE = 32;
const PER_TURN = 1024;

/**
 * The snapshots that are open, oldest first, and what each keeps. A thing that leaves the present is kept where a snapshot was
 * opened since it was made: by the newest such snapshot, which hands it on to the next older one when it closes. So each
 * thing is looked at once per snapshot that saw it, and freed as soon as none does (the dead lists of ZFS).
 *
 * A snapshot that closes has its things handed on in steps: however many there are, no turn of the event loop is long.
 */
export class Pins {
  readonly #kinds: readonly Kind<Retired>[];
  readonly #open: Pin[] = [];
  /** Closed ones that still have things to hand on or to free. */
  readonly #closing: Pin[] = [];
  #keptBytes = 0;
  #keptObjectBytes = 0;
  #isScheduled = false;
  /** When the newest open snapshot was taken: what was made until then is not to be changed. -1 where none is open. */
  newestTime = -1;

  constructor(kinds: readonly Kind<Retired>[]) {
    this.#kinds = kinds;
  }

  get openPins(): readonly Pin[] {
    return this.#open;
  }

  get closingPins(): readonly Pin[] {
    return this.#closing;
  }

  /** In what is out of the present and kept. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Of them, in objects. */
  get keptObjectBytes(): number {
    return this.#keptObjectBytes;
  }

  /** A pin of the present: the one that is there already where nothing changed since. */
  open(present: State): Pin {
    const newest = this.#open.at(-1);
    if (newest !== undefined && newest.time === present.time) {
      newest.holders++;
      return newest;
    }
    const pin = new Pin(present, this.#kinds.length);
    this.#open.push(pin);
    this.newestTime = present.time;
    return pin;
  }

  close(pin: Pin): void {
    if (--pin.holders > 0) return;
    this.#open.splice(this.#open.lastIndexOf(pin), 1);
    this.newestTime = this.#open.at(-1)?.time ?? -1;
    this.#closing.push(pin);
    this.#work(PER_TURN);
    this.#schedule();
  }

  /** A thing is not in the present any more: frees it, now or when the last snapshot that sees it closes. */
  retire<Item extends Retired>(kindNumber: number, item: Item): void {
    const kind = itemAt(this.#kinds, kindNumber);
    const newest = this.#open.at(-1);
    if (newest === undefined || kind.birthOf(item) > newest.time) kind.free(item);
    else {
      itemAt(newest.kept, kindNumber).push(item);
      this.#count(item, kind.bytesOf(item));
    }
  }

  /** A few steps with each change: memory does not grow, however long the event loop has no turn. */
  afterChange(): void {
    if (this.#closing.length > 0) this.#work(PER_CHANGE);
  }

  /** Hands on or frees up to `limit` things that closed snapshots kept. */
  #work(limit: number): void {
    for (let left = limit; left > 0; left--) {
      const pin = this.#closing.at(-1);
      if (pin === undefined) return;
      const kindNumber = pin.kept.findIndex((items) => items.length > 0);
      if (kindNumber < 0) this.#closing.pop();
      else this.#handOn(pin, kindNumber);
    }
  }

  #handOn(pin: Pin, kindNumber: number): void {
    const kind = itemAt(this.#kinds, kindNumber);
    const item = itemAt(pin.kept, kindNumber).pop() as Retired; // the list is not empty
    const older = this.#open.findLast((other) => other.time < pin.time);
    if (older !== undefined && kind.birthOf(item) <= older.time) itemAt(older.kept, kindNumber).push(item);
    else {
      this.#count(item, -kind.bytesOf(item));
      kind.free(item);
    }
  }

  #count(item: Retired, bytes: number): void {
    this.#keptBytes += bytes;
    if (typeof item === "object") this.#keptObjectBytes += bytes;
  }

  /** The steps keep no process alive. */
  #schedule(): void {
    if (this.#isScheduled || this.#closing.length === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#work(PER_TURN);
      this.#schedule();
    }).unref();
  }
}
