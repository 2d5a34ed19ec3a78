/** The largest count of uses since an item entered its queue. */
export const MOST_FREQUENT = 3;

/** What a cache holds: it knows its size, and lets go of itself. */
export abstract class CacheItem {
  /** Bytes that it counts for. */
  readonly charge: number;
  /** Stands for it after it is gone. 32 bits, never 0. */
  readonly fingerprint: number;
  frequency = 0;
  /** Who looks at its bytes across turns of the event loop. It stays while there is anyone. */
  pins = 0;
  queue: ItemQueue | undefined;
  older: CacheItem | undefined;
  newer: CacheItem | undefined;

  constructor(charge: number, fingerprint: number) {
    this.charge = charge;
    this.fingerprint = fingerprint;
  }

  touch(): void {
    if (this.frequency < MOST_FREQUENT) this.frequency++;
  }

  /** It is out of the cache: the owner forgets it. `isFree` says that nobody looks at its bytes. */
  abstract gone(isFree: boolean): void;
}

/** First in, first out. */
export class ItemQueue {
  #oldest: CacheItem | undefined;
  #newest: CacheItem | undefined;
  bytes = 0;
  count = 0;

  add(item: CacheItem): void {
    item.queue = this;
    item.older = this.#newest;
    item.newer = undefined;
    if (this.#newest === undefined) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
    this.bytes += item.charge;
    this.count++;
  }

  takeOldest(): CacheItem | undefined {
    const item = this.#oldest;
    if (item !== undefined) this.remove(item);
    return item;
  }

  remove(item: CacheItem): void {
    if (item.older === undefined) this.#oldest = item.newer;
    else item.older.newer = item.newer;
    if (item.newer === undefined) this.#newest = item.older;
    else item.newer.older = item.older;
    item.older = undefined;
    item.newer = undefined;
    item.queue = undefined;
    this.bytes -= item.charge;
    this.count--;
  }
}
