import { KayaError } from "@kaya/core";
import type { AppliedLog } from "./apply.js";
import type { HeldMoment, ReadSource, ReadView } from "./read-source.js";
import type { Turns } from "./turns.js";

/** What the reads of an engine look at: the data as it is now. */
export class EngineSource implements ReadSource {
  /** Another one after each refresh of an engine that only looks. */
  applied: AppliedLog;
  readonly turns: Turns;
  #isClosed = false;

  constructor(applied: AppliedLog, turns: Turns) {
    this.applied = applied;
    this.turns = turns;
  }

  view(): ReadView {
    this.assertOpen();
    return this.applied.view;
  }

  hold(): HeldMoment {
    this.assertOpen();
    const snapshot = this.applied.snapshot();
    return {
      moment: () => {
        this.assertOpen();
        return snapshot;
      },
      release: () => snapshot.release(),
    };
  }

  close(): void {
    this.#isClosed = true;
  }

  /** @throws KayaError KAYA_CLOSED */
  assertOpen(): void {
    if (this.#isClosed) throw closed();
  }
}

export function closed(): KayaError {
  return new KayaError("KAYA_CLOSED", "the engine is closed: open it again");
}
