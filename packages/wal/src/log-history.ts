import type { Lsn } from "@kaya/core";

/** How many cuts a history remembers: what was known of the log before is refused then. */
const MOST_EARLIER = 64;

const HEAD = "kaya log-id 1";
const ID = /^[0-9a-f]{16}$/;
const EARLIER = /^from ([0-9a-f]{16}) (0|[1-9][0-9]{0,15})$/;

export function isLogId(text: unknown): text is string {
  return typeof text === "string" && ID.test(text);
}

/** What the log was before a cut, and the last record that it still has of that. */
interface EarlierLog {
  readonly id: string;
  readonly lsn: Lsn;
}

/**
 * Which log this is. LSNs come back after recovery cut something off: an LSN alone does not say which record is meant. So the
 * log gets another id at each cut, and remembers up to where it is still the one that had the ids before.
 */
export class LogHistory {
  readonly id: string;
  readonly #earlier: readonly EarlierLog[];

  constructor(id: string, earlier: readonly EarlierLog[] = []) {
    this.id = id;
    this.#earlier = earlier;
  }

  /** The last record that this log has in common with the one of that id; undefined where nothing is known of it. */
  commonWith(id: string): Lsn | undefined {
    if (id === this.id) return Number.MAX_SAFE_INTEGER;
    return this.#earlier.find((each) => each.id === id)?.lsn;
  }

  /** The history of the log that is cut behind `lsn`, under a new id. */
  cutBehind(lsn: Lsn, id: string): LogHistory {
    const known = [...this.#earlier, { id: this.id, lsn }];
    const earlier = known.map((each) => ({ id: each.id, lsn: Math.min(each.lsn, lsn) }));
    return new LogHistory(id, earlier.slice(-MOST_EARLIER));
  }

  toText(): string {
    return [HEAD, this.id, ...this.#earlier.map(({ id, lsn }) => `from ${id} ${lsn}`), ""].join("\n");
  }

  /** Undefined where the text is no history that this code knows. */
  static parse(text: string): LogHistory | undefined {
    const [head, id, ...lines] = text.split("\n");
    if (head !== HEAD || !isLogId(id) || lines.pop() !== "") return undefined;
    const earlier: EarlierLog[] = [];
    for (const line of lines) {
      const [, from, lsn] = EARLIER.exec(line) ?? [];
      if (from === undefined || !Number.isSafeInteger(Number(lsn))) return undefined;
      earlier.push({ id: from, lsn: Number(lsn) });
    }
    return new LogHistory(id, earlier);
  }
}
