import type { Entry, Store } from "../system.js";

/** Puts that settle together. */
interface Group {
  readonly entries: Entry[];
  readonly done: Promise<void>;
  settle(commit: Promise<void>): void;
}

/**
 * A store whose puts are gathered by hand: those of one turn of the event loop, and those that come while a commit is under way, are one
 * batch. A user can write this to get group commit from a store without it.
 */
export class CoalescedStore {
  readonly #store: Pick<Store, "batch">;
  #next: Group | undefined;
  /** A commit is under way, or will be after this turn. */
  #isBusy = false;

  constructor(store: Pick<Store, "batch">) {
    this.#store = store;
  }

  /** Settles when the batch that has the entry is as durable as the store was opened for. */
  put(key: Uint8Array, value: Uint8Array): Promise<void> {
    this.#next ??= makeGroup();
    this.#next.entries.push({ key, value });
    if (!this.#isBusy) {
      this.#isBusy = true;
      setImmediate(() => this.#commit());
    }
    return this.#next.done;
  }

  async #commit(): Promise<void> {
    const group = this.#next;
    this.#next = undefined;
    this.#isBusy = group !== undefined;
    if (group === undefined) return;
    const commit = this.#write(group.entries);
    group.settle(commit);
    await commit.catch(() => undefined); // reported to those who wait for the group
    // The answered callers put again in this turn.
    setImmediate(() => this.#commit());
  }

  async #write(entries: readonly Entry[]): Promise<void> {
    await this.#store.batch(entries);
  }
}

function makeGroup(): Group {
  let settle: Group["settle"] = () => undefined;
  const done = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { entries: [], done, settle };
}
