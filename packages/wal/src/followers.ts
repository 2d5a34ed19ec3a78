import { describe, KayaError, type Lsn } from "@kaya/core";
import { type FollowedLog, LogFollower, truncated } from "./log-follower.js";

/** The followers of a log, until it is closed. */
export class Followers {
  readonly #log: FollowedLog;
  readonly #recoveredLsn: Lsn;
  readonly #hasLogAhead: boolean;
  readonly #reading = new Set<LogFollower>();
  #closed: KayaError | undefined;

  /**
   * @param recoveredLsn of the last record that recovery found
   * @param hasLogAhead another log is in front of this one: what this one does not have yet will come
   */
  constructor(log: Omit<FollowedLog, "begin" | "end">, recoveredLsn: Lsn, hasLogAhead: boolean) {
    this.#recoveredLsn = recoveredLsn;
    this.#hasLogAhead = hasLogAhead;
    this.#log = {
      ...log,
      begin: (follower) => {
        if (this.#closed !== undefined) throw this.#closed;
        this.#reading.add(follower);
      },
      end: (follower) => this.#reading.delete(follower),
    };
  }

  // What recovery found is durable, except a tail that a full disk did not let it finish.
  get endLsn(): Lsn {
    return Math.max(this.#log.progress.durableLsn, this.#recoveredLsn);
  }

  /** False for a record that this log should have by now, and does not. */
  mayReach(lsn: Lsn): boolean {
    return this.#hasLogAhead || lsn <= this.endLsn;
  }

  /** @throws KayaError KAYA_LOG_TRUNCATED, KAYA_INVALID_ARGUMENT */
  follow(after: Lsn): LogFollower {
    if (!Number.isSafeInteger(after) || after < 0) {
      const message = `after must be a whole number >= 0, not ${describe(after)}`;
      throw new KayaError("KAYA_INVALID_ARGUMENT", message);
    }
    const { beginsAfter } = this.#log.segments;
    if (after < beginsAfter) throw truncated(after, beginsAfter);
    if (!this.mayReach(after)) throw beyondEnd(after, this.endLsn);
    return new LogFollower(this.#log, after);
  }

  /** Ends all; resolves once their files are closed. */
  async close(reason: KayaError): Promise<void> {
    this.#closed = reason;
    // A file that was only read may fail to close: nothing is lost.
    await Promise.allSettled([...this.#reading].map((follower) => follower.end(reason)));
  }
}

function beyondEnd(after: Lsn, end: Lsn): KayaError {
  return new KayaError(
    "KAYA_LOG_TRUNCATED",
    `the records behind LSN ${after} were asked for, and the log ends at LSN ${end}: it is another log, or lost what it had. ` +
      "Read the data as it is now, and follow the log from there.",
  );
}
