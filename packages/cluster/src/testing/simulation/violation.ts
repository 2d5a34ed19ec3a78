/** The rules of a cluster that a run checks. */
export type ClusterRule =
  /** A write was acknowledged that the shared log does not have, or has elsewhere, or twice. */
  | "acknowledged-lost"
  /** A write that was told to be nowhere is in the shared log. */
  | "refused-found"
  /** The shared log has what no client wrote, or a part of a batch. */
  | "never-attempted"
  /** A node has something else than the shared log up to its LSN. */
  | "not-a-prefix"
  /** A node's reads went back. */
  | "backwards"
  /** The history of the clients has no order. */
  | "not-linearizable"
  /** Nodes differ at the end. */
  | "diverged"
  /** A change feed gave something else than the shared log. */
  | "wrong-feed"
  /** A promise that never settles, or a cluster that does not come back. */
  | "hang"
  /** A call was refused with an error that nothing explains. */
  | "wrong-refusal"
  /** An exception that nobody asked for. */
  | "unexpected-error";

/** The first thing that went wrong in a run. */
export interface ClusterViolation {
  /** The rule that was broken. */
  readonly rule: ClusterRule;
  /** Index of the step; the number of steps if it was seen at the end. */
  readonly step: number;
  /** What was found, in words. */
  readonly message: string;
}

/** Ends a run. */
export class ClusterRuleBroken extends Error {
  override readonly name = "ClusterRuleBroken";
  readonly rule: ClusterRule;

  constructor(rule: ClusterRule, message: string) {
    super(message);
    this.rule = rule;
  }
}

/** Ends the run if `holds` is false. */
export function mustHold(holds: boolean, rule: ClusterRule, message: () => string): asserts holds {
  if (!holds) throw new ClusterRuleBroken(rule, message());
}
