import { KayaError } from "@kaya/core";
import type { KeyRange } from "./memtable/key-range.js";
import type { CursorOptions, HeldMoment, Moment } from "./read-source.js";
import { RangeReader, type Visit } from "./store/range-reader.js";
import type { Turns } from "./turns.js";

/** One reading of a range. */
export interface Reading {
  /** Begins. @throws KayaError KAYA_CLOSED */
  begin(options?: CursorOptions): RangeReader;
  /** @throws KayaError KAYA_CLOSED */
  assertOpen(): void;
  /** Whatever the reason; only the first call counts. */
  end(): void;
  /** As of `HeldMoment`. */
  readonly readsNoFurther: boolean;
}

/** A moment that may be read several times at once, and is let go of once the last of these readings has ended. */
export class SharedMoment {
  readonly #held: HeldMoment;
  #readers = 0;
  #isOver = false;

  constructor(held: HeldMoment) {
    this.#held = held;
  }

  reading(range: KeyRange): Reading {
    let isReading = true;
    this.#readers++;
    return {
      readsNoFurther: this.#held.readsNoFurther ?? false,
      begin: (options) => new RangeReader(this.#moment().cursor(range, options), range),
      assertOpen: () => void this.#moment(),
      end: () => {
        if (isReading && --this.#readers === 0) this.close();
        isReading = false;
      },
    };
  }

  /** Doing it again is fine. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#held.release();
  }

  #moment(): Moment {
    if (this.#isOver)
      throw new KayaError(
        "KAYA_CLOSED",
        "this scan was read or closed already: make a new one for each reading",
      );
    return this.#held.moment();
  }
}

/**
 * Reads all of it, so many entries in a turn of the event loop, and ends the reading.
 * @throws KayaError as the tables; KAYA_CLOSED
 */
export async function readThrough(reading: Reading, turns: Turns, visit: Visit): Promise<void> {
  let reader: RangeReader | undefined;
  try {
    reader = reading.begin();
    let seen = 0;
    for (let most = turns.operations; ; most += turns.operations) {
      const read = reader.read(
        (cursor) => {
          seen++;
          visit(cursor);
        },
        () => seen >= most,
      );
      if (read !== undefined) {
        await read;
        reading.assertOpen();
      }
      if (reader.isAtEnd) return;
      await turns.next();
      reading.assertOpen();
    }
  } finally {
    reader?.close();
    reading.end();
  }
}
