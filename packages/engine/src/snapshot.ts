import { KayaError } from "@kaya/core";
import { type Entry, entryOf, entryOfSync } from "./entry.js";
import { type Bytes, toBytes } from "./input.js";
import { type RangeOptions, toKeyRange } from "./range.js";
import { Scan } from "./scan.js";
import type { StoreSnapshot } from "./store/store-snapshot.js";

/** The data as it was when the snapshot was made. Cheap to make. Close it: until then it pins a memtable in memory, and files of tables. */
export class Snapshot {
  readonly #assertEngineOpen: () => void;
  /** Undefined once closed. */
  #view: StoreSnapshot | undefined;

  /** @internal Made by `Engine.snapshot`. */
  constructor(view: StoreSnapshot, assertEngineOpen: () => void) {
    this.#view = view;
    this.#assertEngineOpen = assertEngineOpen;
  }

  /** As `Engine.get`. */
  async get(key: Bytes): Promise<Uint8Array | undefined> {
    return this.#openView().find(toBytes(key, "key"));
  }

  /** As `Engine.getSync`. @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT, KAYA_CORRUPTION, KAYA_IO */
  getSync(key: Bytes): Uint8Array | undefined {
    return this.#openView().getSync(toBytes(key, "key"));
  }

  async has(key: Bytes): Promise<boolean> {
    return (await this.#openView().find(toBytes(key, "key"))) !== undefined;
  }

  async getEntry(key: Bytes): Promise<Entry> {
    return entryOf(this.#openView(), key);
  }

  /** @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT */
  getEntrySync(key: Bytes): Entry {
    return entryOfSync(this.#openView(), key);
  }

  /** @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT */
  scan(range?: RangeOptions): Scan {
    this.#openView();
    return new Scan({ view: () => this.#openView(), release: () => undefined }, toKeyRange(range));
  }

  /** Doing it again is fine; anything else afterwards is KAYA_CLOSED. */
  close(): void {
    this.#view?.release();
    this.#view = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #openView(): StoreSnapshot {
    this.#assertEngineOpen();
    if (this.#view === undefined) throw new KayaError("KAYA_CLOSED", "the snapshot is closed");
    return this.#view;
  }
}
