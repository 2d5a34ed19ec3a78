import { itemAt } from "./words.js";

/** A sort of thing that leaves the tree, by its number: a record, a separator, a node. */
export interface Kind {
  /** The memtable's time when the thing came to be, or earlier. */
  birthOf(item: number): number;
  bytesOf(item: number): number;
  free(item: number): void;
}

/** A point in time that somebody looks at: the root of the tree as it was, and what is kept for it alone. */
export class Pin {
  readonly time: number;
  readonly root: number;
  readonly size: number;
  /** By kind. */
  readonly kept: readonly number[][];
  holders = 1;

  constructor(time: number, root: number, size: number, kinds: number) {
    this.time = time;
    this.root = root;
    this.size = size;
    this.kept = Array.from({ length: kinds }, () => []);
  }
}

/**
 * The snapshots that are open, oldest first, and what each keeps. Something that leaves the tree is kept where a snapshot was
 * opened since it was born: by the newest such snapshot, which hands it on to the next older one when it closes. So each
 * thing is looked at once per snapshot that saw it, and freed as soon as none does (the dead lists of ZFS).
 */
export class Pins {
  readonly #kinds: readonly Kind[];
  readonly #open: Pin[] = [];
  /** Closed ones that still have things to hand on or to free. */
  readonly #closing: Pin[] = [];
  #keptBytes = 0;
  /** When the newest open snapshot was taken: what was born until then is not to be changed. -1 where none is open. */
  newestTime = -1;

  constructor(kinds: readonly Kind[]) {
    this.#kinds = kinds;
  }

  get openPins(): readonly Pin[] {
    return this.#open;
  }

  get closingPins(): readonly Pin[] {
    return this.#closing;
  }

  /** In what is out of the tree and kept. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Things of closed snapshots wait for `work`. */
  get hasWork(): boolean {
    return this.#closing.length > 0;
  }

  /** A pin of `time`: the one that is there already where nothing changed since. */
  open(time: number, root: number, size: number): Pin {
    const newest = this.#open.at(-1);
    if (newest !== undefined && newest.time === time) {
      newest.holders++;
      return newest;
    }
    const pin = new Pin(time, root, size, this.#kinds.length);
    this.#open.push(pin);
    this.newestTime = time;
    return pin;
  }

  close(pin: Pin): void {
    if (--pin.holders > 0) return;
    this.#open.splice(this.#open.lastIndexOf(pin), 1);
    this.newestTime = this.#open.at(-1)?.time ?? -1;
    this.#closing.push(pin);
  }

  /** Something is not in the tree any more: frees it, now or when the last snapshot that sees it closes. */
  retire(kindNumber: number, item: number): void {
    const kind = itemAt(this.#kinds, kindNumber);
    const newest = this.#open.at(-1);
    if (newest === undefined || kind.birthOf(item) > newest.time) kind.free(item);
    else {
      itemAt(newest.kept, kindNumber).push(item);
      this.#keptBytes += kind.bytesOf(item);
    }
  }

  /** Hands on or frees up to `limit` things that closed snapshots kept. */
  work(limit: number): void {
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
    const item = itemAt(pin.kept, kindNumber).pop() as number;
    const older = this.#open.findLast((other) => other.time < pin.time);
    if (older !== undefined && kind.birthOf(item) <= older.time) itemAt(older.kept, kindNumber).push(item);
    else {
      this.#keptBytes -= kind.bytesOf(item);
      kind.free(item);
    }
  }
}
