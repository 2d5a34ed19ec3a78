import type { DurabilityMode } from "@kaya/core";
import { isUnique } from "../unique-rows.js";
import type { RowChange } from "./steps.js";

export interface Row {
  readonly unique?: string;
  readonly many: readonly string[];
}

export type Rows = ReadonlyMap<string, Row>;

/** A write to rows: these rows, or all rows are cleared. */
export interface RowsWrite {
  readonly changes: readonly RowChange[] | "clear";
  readonly durability: DurabilityMode;
}

export interface RowsAttempt extends RowsWrite {
  /** Two rows have one unique key once it is in. */
  readonly isBreaking: boolean;
  /** `doubtful`: it was rejected by an engine that failed, so a recovery may still find it. */
  answer: "pending" | "acknowledged" | "refused" | "doubtful";
}

/** Possible rows of a store: those that a recovery found, and the writes since, in the order of their calls. */
export class IndexedHistory {
  #found: Rows = new Map();
  #attempts: RowsAttempt[] = [];
  /** A crash may not take so many of the attempts. */
  #durable = 0;
  /** The next recovery must find so many of them. */
  #kept = 0;

  begin(write: RowsWrite): RowsAttempt {
    const isBreaking = !isUnique(rowsAfter(this.projected, write));
    const attempt: RowsAttempt = { ...write, isBreaking, answer: "pending" };
    this.#attempts.push(attempt);
    return attempt;
  }

  acknowledge(attempt: RowsAttempt): void {
    attempt.answer = "acknowledged";
    if (attempt.durability === "strict") this.#keepUpTo(this.#attempts.indexOf(attempt) + 1);
  }

  /** The engine is closed. */
  makeAcknowledgedDurable(): void {
    this.#keepUpTo(this.#acknowledged);
  }

  /** The process is gone, and leaves its page cache. */
  leavePageCache(): void {
    this.#kept = Math.max(this.#kept, this.#acknowledged);
  }

  /** The machine is gone, maybe some time after the process. */
  losePageCache(): void {
    this.#kept = this.#durable;
  }

  /** The rows after all writes that were not refused. */
  get projected(): Rows {
    const isExpected = ({ answer, isBreaking }: RowsAttempt) =>
      answer === "acknowledged" || (answer === "pending" && !isBreaking);
    return this.#attempts.filter(isExpected).reduce(rowsAfter, this.#found);
  }

  /** Whether a recovery may find these rows: a prefix of what was not refused, with all that is kept. The history goes on from there. */
  recoverTo(rows: Rows): boolean {
    const text = showRows(rows);
    const isPossible = [false, true].some((withDoubtful) => this.#prefixes(withDoubtful).includes(text));
    this.#found = rows;
    this.#attempts = [];
    this.#durable = 0;
    this.#kept = 0;
    return isPossible;
  }

  #prefixes(withDoubtful: boolean): string[] {
    let rows = this.#found;
    const states = this.#kept === 0 ? [showRows(rows)] : [];
    for (const [i, attempt] of this.#attempts.entries()) {
      const { answer } = attempt;
      const mayBeThere = answer !== "refused" && (withDoubtful || answer !== "doubtful");
      const after = mayBeThere ? rowsAfter(rows, attempt) : rows;
      // Else it was going to be refused.
      if (answer === "acknowledged" || isUnique(after)) rows = after;
      if (i + 1 >= this.#kept) states.push(showRows(rows));
    }
    return states;
  }

  #keepUpTo(count: number): void {
    this.#durable = Math.max(this.#durable, count);
    this.#kept = Math.max(this.#kept, count);
  }

  get #acknowledged(): number {
    return this.#attempts.findLastIndex(({ answer }) => answer === "acknowledged") + 1;
  }
}

/** The rows, in the order of their keys, as text. */
export function showRows(rows: Rows): string {
  return JSON.stringify([...rows].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function rowsAfter(rows: Rows, { changes }: RowsWrite): Rows {
  if (changes === "clear") return new Map();
  const after = new Map(rows);
  for (const { key, row } of changes)
    if (row === undefined) after.delete(key);
    else after.set(key, row);
  return after;
}
