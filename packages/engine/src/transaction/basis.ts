import type { LogPosition, Lsn, SequenceNumber } from "@kaya/core";
import type { EntryCursor, Run } from "@kaya/lsm";
import type { Now } from "../clock.js";
import type { KeyRange } from "../memtable/key-range.js";
import type { CursorOptions, Moment } from "../read-source.js";
import type { KeyState, Value } from "../store/key-state.js";
import type { StoreSnapshot } from "../store/store-snapshot.js";
import type { QueueMoment } from "./queue-view.js";

/** The one state of the data that a transaction reads: what is applied, or that and all writes under way. */
export class Basis implements Moment {
  /** Of the last write that it shows. */
  readonly sequence: SequenceNumber;
  /** Of the record that has it. */
  readonly lsn: Lsn;
  /** What is above the snapshot; undefined: nothing. */
  readonly queued: QueueMoment | undefined;
  readonly #snapshot: StoreSnapshot;

  /** @param snapshot with all writes up to that position where nothing is `queued`. It owns both. */
  constructor(snapshot: StoreSnapshot, { lsn, sequence }: LogPosition, queued?: QueueMoment) {
    this.#snapshot = snapshot;
    this.lsn = lsn;
    this.sequence = sequence;
    this.queued = queued;
  }

  /** Its one time. */
  get now(): Now {
    return this.#snapshot.now;
  }

  get tables() {
    return this.#snapshot.tables;
  }

  find(key: Uint8Array, now = this.now): Value {
    const value = this.queued?.get(key, now);
    return value === undefined ? this.#snapshot.find(key, now) : (value ?? undefined);
  }

  getSync(key: Uint8Array, now = this.now): Uint8Array | undefined {
    const value = this.queued?.get(key, now);
    return value === undefined ? this.#snapshot.getSync(key, now) : (value ?? undefined);
  }

  stateInMemory(key: Uint8Array): KeyState | undefined {
    return this.queued?.stateOf(key) ?? this.#snapshot.stateInMemory(key);
  }

  /** @param options.above runs that are newer than all that it shows */
  cursor(
    range: KeyRange,
    { above = [], ...options }: CursorOptions & { readonly above?: readonly Run[] } = {},
  ): EntryCursor {
    const ahead = this.queued === undefined ? [] : [this.queued.snapshot()];
    const runs = [...above, ...ahead.map((each) => each.run())];
    const cursor = this.#snapshot.cursor(range, { ...options, above: runs });
    const close = cursor.close.bind(cursor);
    cursor.close = () => {
      close();
      for (const each of ahead) each.release(); // doing it again is fine
    };
    return cursor;
  }

  /** Doing it again is fine. Cursors that are open keep what they need. */
  release(): void {
    this.queued?.release();
    this.#snapshot.release();
  }
}
