/** `warning`: expect trouble. `problem`: writes are refused, or acknowledged data can be lost. */
export type FindingLevel = "ok" | "note" | "warning" | "problem";

/** What was found out about one thing. */
export interface Finding {
  readonly level: FindingLevel;
  /** What was looked at: a word or two. */
  readonly check: string;
  /** What was measured. */
  readonly found: string;
  /** What to do; absent where there is nothing to do. */
  readonly advice?: string;
  /** The figures, for programs. */
  readonly values?: Readonly<Record<string, unknown>>;
}

/** Findings of one check, each of its level. */
export function findingsOf(check: string) {
  const make =
    (level: FindingLevel) =>
    (found: string, advice?: string, values?: Finding["values"]): Finding => ({
      level,
      check,
      found,
      ...(advice !== undefined && { advice }),
      ...(values !== undefined && { values }),
    });
  return { ok: make("ok"), note: make("note"), warning: make("warning"), problem: make("problem") };
}
