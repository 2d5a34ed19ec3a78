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

/**
 * The data as it was when the snapshot was made. Making one is cheap. Close it: until then it keeps a memtable
 * in memory and files on the disk.
 */
export class Snapshot extends Reader {
  readonly #source: SnapshotSource;

  /** @internal Made by `Engine.snapshot`. */
  constructor(moment: StoreSnapshot, turns: Turns, assertEngineOpen: () => void) {
    const source = new SnapshotSource(moment, turns, assertEngineOpen);
    super(source);
    this.#source = source;
  }

  /**
   * Releases the memory and files that it keeps. A second call does nothing; any other call afterwards is
   * refused with KAYA_CLOSED.
   */
  close(): void {
    this.#source.close();
  }

  /** Closes the snapshot at the end of a `using` block, as `close` does. */
  [Symbol.dispose](): void {
    this.close();
  }
}
