/** How the machine or the process ended. */
export type CrashCause = "power-cut" | "process-kill";

/**
 * What the user of a store was promised at the moment of a crash. A store is right when what it recovers lies between
 * the two: acknowledged ⊆ recovered ⊆ attempted.
 */
export interface HistoryView<T> {
  /** Why the workload ended: the machine lost power, or the process was killed. */
  readonly cause: CrashCause;
  /** What may be there, in the order of its attempts: everything that was attempted and not rejected. */
  readonly attempted: readonly T[];
  /** What must be there: acknowledged, and after the kill of a process alone also what was accepted. */
  readonly acknowledged: ReadonlySet<T>;
  /** What must not be there. */
  readonly rejected: ReadonlySet<T>;
}

/** The notes of a store's user. */
export type HistoryNotes<T> = Pick<History<T>, "attempt" | "accept" | "acknowledge" | "reject" | "powerCut">;

type Fate = "attempted" | "accepted" | "acknowledged" | "rejected";

/**
 * What a workload asked of a store and what it was told, in order. Items are told apart as the keys of a Map are: give
 * each write an item of its own.
 */
export class History<T> {
  readonly #changes: { readonly item: T; readonly fate: Fate }[] = [];
  readonly #attempted = new Set<T>();
  readonly #acknowledged = new Set<T>();

  /** About to be written: from now on it may be there. */
  attempt(item: T): void {
    if (this.#attempted.has(item)) throw new Error("an item of a history can be attempted once only");
    this.#attempted.add(item);
    this.#changes.push({ item, fate: "attempted" });
  }

  /** Written, but not promised to be durable: it outlives the process, not the machine. */
  accept(item: T): void {
    this.#change(item, "accepted");
  }

  /** Promised to be durable: it must be there from now on. */
  acknowledge(item: T): void {
    this.#acknowledged.add(item);
    this.#change(item, "acknowledged");
  }

  /** The workload cut the power by itself: what was only accepted may be gone. */
  powerCut(): void {
    for (const [item, fate] of this.#fates(this.version)) {
      if (fate === "accepted") this.#change(item, "attempted");
    }
  }

  /**
   * Refused, and certain not to have happened. Say nothing of a write whose failure leaves open what became of it.
   * @throws Error where it was acknowledged: a promise is broken before any crash
   */
  reject(item: T): void {
    if (this.#acknowledged.has(item))
      throw new Error(`what was acknowledged is gone: ${JSON.stringify(item)}`);
    this.#change(item, "rejected");
  }

  /** Grows with each change: what `view` takes for the moment that it means. */
  get version(): number {
    return this.#changes.length;
  }

  /** How things stood at a version, if the end came then. */
  view(version: number, cause: CrashCause): HistoryView<T> {
    const fates = this.#fates(version);
    const withFate = (...wanted: Fate[]) =>
      [...fates].flatMap(([item, fate]) => (wanted.includes(fate) ? [item] : []));
    const promised = cause === "power-cut" ? withFate("acknowledged") : withFate("acknowledged", "accepted");
    return Object.freeze({
      cause,
      attempted: Object.freeze(withFate("attempted", "accepted", "acknowledged")),
      acknowledged: new Set(promised),
      rejected: new Set(withFate("rejected")),
    });
  }

  #fates(version: number): Map<T, Fate> {
    const fates = new Map<T, Fate>();
    for (const { item, fate } of this.#changes.slice(0, version)) fates.set(item, fate);
    return fates;
  }

  #change(item: T, fate: Fate): void {
    if (!this.#attempted.has(item)) throw new Error(`an item was ${fate} that was never attempted`);
    this.#changes.push({ item, fate });
  }
}
