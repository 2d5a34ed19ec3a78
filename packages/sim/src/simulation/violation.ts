/** What a store may not do. A shrunk trace must still break the same rule. */
export type BrokenRule =
  /** An acknowledged write is gone. */
  | "acknowledged-lost"
  /** The log or the store holds what was never written, was taken back, or was gone before. */
  | "never-attempted"
  /** A read gave something else than what was settled at its time. */
  | "wrong-read"
  /** A transaction was written although something that it had read was not so any more. */
  | "not-serializable"
  /** A write was answered with a wrong LSN, sequence or durability, or out of order. */
  | "wrong-answer"
  /** Something was rejected without a reason, with a wrong code, or accepted where it had to be rejected. */
  | "wrong-refusal"
  /** The engine's own account of itself is wrong: state, failure, statistics, recovery report. */
  | "wrong-account"
  /** A promise that never settles. */
  | "hang"
  /** An exception that nobody asked for. */
  | "unexpected-error";

/** The first thing that went wrong in a run. */
export interface Violation {
  /** The rule that was broken. */
  readonly rule: BrokenRule;
  /** Index of the step it was seen in; the number of steps where it was seen at the end. */
  readonly step: number;
  /** The violation in words. */
  readonly message: string;
}

/** Thrown inside a run to end it. */
export class RuleBroken extends Error {
  override readonly name = "RuleBroken";
  readonly rule: BrokenRule;

  constructor(rule: BrokenRule, message: string) {
    super(message);
    this.rule = rule;
  }
}

/** Ends the run where `holds` is false. `message` is only made then. */
export function mustHold(holds: boolean, rule: BrokenRule, message: () => string): asserts holds {
  if (!holds) throw new RuleBroken(rule, message());
}
