import type { Lsn } from "@kaya/core";

/** How many cuts a history remembers; older ids of the log are refused. */
const MOST_EARLIER = 64;

const HEAD = "kaya log-id 1";
const ID = /^[0-9a-f]{16}$/;
const EARLIER = /^from ([0-9a-f]{16}) (0|[1-9][0-9]{0,15})$/;

/** True for text that is the id of a log: 16 lower-case hex digits. */
export function isLogId(text: unknown): text is string {
  return typeof text === "string" && ID.test(text);
}

const BASE = /^behind ([0-9a-f]{16}) (0|[1-9][0-9]{0,15})$/;

/** A record of the log that has this id. */
export interface LogOrigin {
  /** The id of the log: 16 lower-case hex digits. */
  readonly id: string;
  /** Log sequence number of the record. */
  readonly lsn: Lsn;
}

/**
 * The identity of a log. A log sequence number is given again after recovery cut something off, so it does not
 * say alone which record is meant. So the log gets another id at each cut, and remembers up to where it is the
 * same as the logs with the earlier ids.
 */
export class LogHistory {
  /** The id of the log now: 16 lower-case hex digits. */
  readonly id: string;
  /** The tables that the log went on from when it got its first id: of no log that is known here. */
  readonly #base: LogOrigin | undefined;
  /** What the log was before each cut, and the last record that it still has of that. */
  readonly #earlier: readonly LogOrigin[];

  /**
   * A history of a log.
   *
   * @param id 16 lower-case hex digits
   * @param base the record from which the log goes on, which tables have
   * @param earlier the earlier ids, and up to where each is the same as this log
   */
  constructor(id: string, base?: LogOrigin, earlier: readonly LogOrigin[] = []) {
    this.id = id;
    this.#base = base;
    this.#earlier = earlier;
  }

  /** The last record that this log has in common with the one of that id; undefined where nothing is known of it. */
  commonWith(id: string): Lsn | undefined {
    if (id === this.id) return Number.MAX_SAFE_INTEGER;
    return this.#earlier.find((each) => each.id === id)?.lsn;
  }

  /**
   * Whether the state at that record is one that this log went through, or went on from. Not the same as `commonWith`: that a log goes on from a
   * backup makes it no part of the log that the backup was made of.
   */
  includes({ id, lsn }: LogOrigin): boolean {
    if (lsn <= (this.commonWith(id) ?? -1)) return true;
    return id === this.#base?.id && lsn <= this.#base.lsn;
  }

  /** The history of the log that is cut behind `lsn`, under a new id. A log that a shared log fills again keeps its id. */
  cutBehind(lsn: Lsn, id: string): LogHistory {
    const known = [...this.#earlier, { id: this.id, lsn }].filter((each) => each.id !== id);
    const earlier = known.map((each) => ({ id: each.id, lsn: Math.min(each.lsn, lsn) }));
    return new LogHistory(id, this.#base, earlier.slice(-MOST_EARLIER));
  }

  /** The history as the text of the file `wal/log-id`; `parse` reads it. */
  toText(): string {
    const base = this.#base && `behind ${this.#base.id} ${this.#base.lsn}`;
    const earlier = this.#earlier.map(({ id, lsn }) => `from ${id} ${lsn}`);
    return [HEAD, this.id, ...(base === undefined ? [] : [base]), ...earlier, ""].join("\n");
  }

  /** Reads the text of `toText`. Undefined if the text is no history that this version knows. */
  static parse(text: string): LogHistory | undefined {
    const [head, id, ...lines] = text.split("\n");
    if (head !== HEAD || !isLogId(id) || lines.pop() !== "") return undefined;
    const base = parseOrigin(BASE, lines[0]);
    if (base !== undefined) lines.shift();
    const earlier: LogOrigin[] = [];
    for (const line of lines) {
      const origin = parseOrigin(EARLIER, line);
      if (origin === undefined) return undefined;
      earlier.push(origin);
    }
    return new LogHistory(id, base, earlier);
  }
}

function parseOrigin(form: RegExp, line: string | undefined): LogOrigin | undefined {
  const [, id, lsn] = form.exec(line ?? "") ?? [];
  return id === undefined || !Number.isSafeInteger(Number(lsn)) ? undefined : { id, lsn: Number(lsn) };
}
