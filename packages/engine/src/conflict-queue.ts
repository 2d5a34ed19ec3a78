import type { KayaError } from "@kaya/core";
import type { PendingChange } from "@kaya/wal";
import { nameOfBytes } from "./memtable/bytes.js";

/**
 * Those whose condition failed because of a write that is under way, by key. They are told one after the other, each when it has a chance: the
 * write that it lost against has settled, and the one told before had a turn to write again. Were all told at once, all but one would fail
 * again: a thousand that change one key would try half a million times.
 */
export class ConflictQueue {
  readonly #pendingChange: (key: Uint8Array) => PendingChange | undefined;
  readonly #turn: () => Promise<void>;
  /** When the last of those who wait has had its turn. */
  readonly #last = new Map<string, Promise<void>>();

  /** @param turn resolves when somebody who was told now could have written again */
  constructor(pendingChange: (key: Uint8Array) => PendingChange | undefined, turn: () => Promise<void>) {
    this.#pendingChange = pendingChange;
    this.#turn = turn;
  }

  /**
   * Rejects with the conflict once it is this one's turn, or as the write ahead where that fails (W3).
   * @param ahead what broke the condition
   */
  async reject(key: Uint8Array, ahead: PendingChange, conflict: KayaError): Promise<never> {
    const name = nameOfBytes(key);
    const told = this.#wait(this.#last.get(name), new Uint8Array(key), ahead.settled());
    const over = told.catch(() => undefined).then(() => this.#turn()); // the rejection is this caller's
    this.#last.set(name, over);
    void over.then(() => {
      if (this.#last.get(name) === over) this.#last.delete(name);
    });
    await told;
    throw conflict;
  }

  async #wait(before: Promise<void> | undefined, key: Uint8Array, ahead: Promise<void>): Promise<void> {
    if (before === undefined) return ahead;
    await Promise.all([before, ahead]);
    // Whatever becomes of it: this one lost against the write ahead of it.
    await this.#pendingChange(key)
      ?.settled()
      .catch(() => undefined);
  }
}
