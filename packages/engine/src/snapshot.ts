import { KayaError } from "@kaya/core";
import { type Entry, entryOf } from "./entry.js";
import { type Bytes, toBytes } from "./input.js";
import type { MemtableSnapshot } from "./memtable/memtable-snapshot.js";
import { type RangeOptions, toKeyRange } from "./range.js";
import { Scan } from "./scan.js";

/** The data as it was when the snapshot was made. Cheap to make; close it to let go of the memory it pins. */
export class Snapshot {
  readonly #assertEngineOpen: () => void;
  /** Undefined once closed. */
  #view: MemtableSnapshot | undefined;

  /** @internal Made by `Engine.snapshot`. */
  constructor(view: MemtableSnapshot, assertEngineOpen: () => void) {
    this.#view = view;
    this.#assertEngineOpen = assertEngineOpen;
  }

  async get(key: Bytes): Promise<Uint8Array | undefined> {
    return this.getSync(key);
  }

  /** @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT */
  getSync(key: Bytes): Uint8Array | undefined {
    return this.#openView().get(toBytes(key, "key"));
  }

  async has(key: Bytes): Promise<boolean> {
    return this.#openView().has(toBytes(key, "key"));
  }

  async getEntry(key: Bytes): Promise<Entry> {
    return this.getEntrySync(key);
  }

  /** @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT */
  getEntrySync(key: Bytes): Entry {
    return entryOf(this.#openView(), key);
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

  #openView(): MemtableSnapshot {
    this.#assertEngineOpen();
    if (this.#view === undefined) throw new KayaError("KAYA_CLOSED", "the snapshot is closed");
    return this.#view;
  }
}
