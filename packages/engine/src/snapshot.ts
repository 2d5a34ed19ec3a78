import { KayaError } from "@kaya/core";
import type { HeldMoment, Moment, ReadSource } from "./read-source.js";
import { Reader } from "./reader.js";
import type { StoreSnapshot } from "./store/store-snapshot.js";
import type { Turns } from "./turns.js";

/** What a snapshot reads from. */
class SnapshotSource implements ReadSource {
  readonly turns: Turns;
  readonly #assertEngineOpen: () => void;
  /** Undefined once closed. */
  #moment: StoreSnapshot | undefined;

  constructor(moment: StoreSnapshot, turns: Turns, assertEngineOpen: () => void) {
    this.turns = turns;
    this.#moment = moment;
    this.#assertEngineOpen = assertEngineOpen;
  }

  view(): Moment {
    this.#assertEngineOpen();
    if (this.#moment === undefined) throw new KayaError("KAYA_CLOSED", "the snapshot is closed");
    return this.#moment;
  }

  /** The snapshot holds it: who closes that ends its readings. */
  hold(): HeldMoment {
    this.view();
    return { moment: () => this.view(), release: () => undefined };
  }

  close(): void {
    this.#moment?.release();
    this.#moment = undefined;
  }
}

/** The data as it was when the snapshot was made. Cheap to make. Close it: until then it pins a memtable in memory, and files of tables. */
export class Snapshot extends Reader {
  readonly #source: SnapshotSource;

  /** @internal Made by `Engine.snapshot`. */
  constructor(moment: StoreSnapshot, turns: Turns, assertEngineOpen: () => void) {
    const source = new SnapshotSource(moment, turns, assertEngineOpen);
    super(source);
    this.#source = source;
  }

  /** Doing it again is fine; anything else afterwards is KAYA_CLOSED. */
  close(): void {
    this.#source.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
