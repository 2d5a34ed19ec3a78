import type { Lsn, SequenceNumber } from "@kaya/core";
import {
  applyChange,
  type Change,
  isAlive,
  isRange,
  type Seen,
  type State,
  seenAt,
  touches,
} from "./state.js";

/** A write that got a place in the log. A clear with a limit may take several records, every other write is one. */
export interface Attempt {
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly firstSequence: SequenceNumber;
  readonly lastSequence: SequenceNumber;
  /** In order, one a sequence number; none for a write that changes nothing. */
  readonly changes: readonly Change[];
}

/**
 * All writes that may be in the log, in the order of their LSNs. Writes that were rejected and undone are not among them: they must never
 * be seen. Three marks divide them: durable <= acknowledged <= attempted.
 */
export class Timeline {
  readonly #attempts: Attempt[] = [];
  readonly #visible: State = new Map();
  readonly #knownKeys = new Set<string>();
  /** Writes that a recovery did not find, but a power cut may still bring back: see `recoverTo`. */
  #ghosts: (readonly Attempt[])[] = [];
  readonly #now: () => number;
  #acknowledged = 0;
  #acknowledgedLsn: Lsn = 0;
  #durableLsn: Lsn = 0;

  /** @param now the process's time */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Of the last attempt; 0 where there is none. */
  get lastLsn(): Lsn {
    return this.#attempts.at(-1)?.lastLsn ?? 0;
  }

  get lastSequence(): SequenceNumber {
    return this.#attempts.at(-1)?.lastSequence ?? 0;
  }

  get acknowledgedLsn(): Lsn {
    return this.#acknowledgedLsn;
  }

  /** No crash may take anything up to here. */
  get durableLsn(): Lsn {
    return this.#durableLsn;
  }

  /** The state that a read must see now. */
  get visible(): Seen {
    return seenAt(this.#visible, this.#now());
  }

  /** Every key that was ever written to. */
  get knownKeys(): ReadonlySet<string> {
    return this.#knownKeys;
  }

  /**
   * The state after all attempts: a clear with a limit deletes keys of this.
   * @param more changes behind that
   */
  projected(more: readonly Change[] = []): Seen {
    const state = new Map(this.#visible);
    for (const attempt of this.#unacknowledged())
      for (const change of attempt.changes) applyChange(state, change);
    for (const change of more) applyChange(state, change);
    return seenAt(state, this.#now());
  }

  /** The last write to a key among all that is attempted, and what sequence the key has from it now: none from a delete, or once it expired. */
  lastChangeOf(key: string): { firstLsn: Lsn; sequence: SequenceNumber | undefined } | undefined {
    for (const { firstLsn, firstSequence, changes } of this.#attempts.toReversed()) {
      const index = changes.findLastIndex((change) => touches(change, key));
      const last = changes[index];
      if (last === undefined) continue;
      const isThere = !isRange(last) && last.value !== undefined && isAlive(last, this.#now());
      return { firstLsn, sequence: isThere ? firstSequence + index : undefined };
    }
    return undefined;
  }

  add(attempt: Attempt): void {
    this.#attempts.push(attempt);
    for (const change of attempt.changes) if (!isRange(change)) this.#knownKeys.add(change.key);
  }

  /** The oldest write that was not acknowledged yet is now. */
  acknowledgeNext(durable: boolean): void {
    const attempt = this.#attempts[this.#acknowledged];
    if (attempt === undefined) throw new Error("nothing is left to acknowledge");
    this.#ghosts = [];
    this.#acknowledged++;
    this.#acknowledgedLsn = attempt.lastLsn;
    for (const change of attempt.changes) applyChange(this.#visible, change);
    if (durable) this.makeDurable(attempt.lastLsn);
  }

  makeDurable(lsn: Lsn): void {
    this.#durableLsn = Math.max(this.#durableLsn, lsn);
  }

  /**
   * Removes attempts that will not be acknowledged. Records of a clear up to `sequence` may have been committed: they stay.
   */
  takeBack(lsn: Lsn, sequence: SequenceNumber): void {
    const [oldest] = this.#attempts.splice(this.#acknowledged);
    if (oldest === undefined || lsn < oldest.firstLsn) return;
    this.#attempts.push(cutAt(oldest, lsn, sequence));
    this.acknowledgeNext(false);
  }

  /** Readers see part of a clear that failed between two of its records. */
  show(changes: readonly Change[]): void {
    for (const change of changes) applyChange(this.#visible, change);
  }

  /**
   * A recovery found the log up to here: later writes are gone for good. If the disk had no room to make the tail durable (`isFinished`
   * false), writes that the page cache does not show may be on the disk, until the next write is acknowledged.
   */
  recoverTo(lsn: Lsn, sequence: SequenceNumber, isFinished: boolean): void {
    const kept = this.#attempts.findLastIndex(({ firstLsn }) => firstLsn <= lsn) + 1;
    const gone = this.#attempts.splice(kept);
    if (isFinished) this.#ghosts = [];
    else if (gone.length > 0) this.#ghosts.push(gone);
    const last = this.#attempts.pop();
    if (last !== undefined) this.#attempts.push(cutAt(last, lsn, sequence));
    this.#visible.clear();
    for (const attempt of this.#attempts)
      for (const change of attempt.changes) applyChange(this.#visible, change);
    this.#acknowledged = this.#attempts.length;
    this.#acknowledgedLsn = lsn;
  }

  /** In the order of their LSNs. */
  attempts(): readonly Attempt[] {
    return this.#attempts;
  }

  /** Possible logs: the attempts, or those before a ghost and that ghost. */
  *possibleLogs(): Generator<readonly Attempt[]> {
    yield this.#attempts;
    for (const ghost of this.#ghosts) {
      const first = ghost[0]?.firstLsn ?? 0;
      yield [...this.#attempts.filter(({ lastLsn }) => lastLsn < first), ...ghost];
    }
  }

  /** The log is this one of those that were possible. */
  settleOn(log: readonly Attempt[]): void {
    if (log !== this.#attempts) this.#attempts.splice(0, this.#attempts.length, ...log);
    this.#ghosts = [];
  }

  #unacknowledged(): readonly Attempt[] {
    return this.#attempts.slice(this.#acknowledged);
  }
}

function cutAt(attempt: Attempt, lsn: Lsn, sequence: SequenceNumber): Attempt {
  if (lsn >= attempt.lastLsn) return attempt;
  const changes = attempt.changes.slice(0, sequence - attempt.firstSequence + 1);
  return { ...attempt, lastLsn: lsn, lastSequence: sequence, changes };
}
