/** The rules of a cluster that a run checks. */
export type ClusterRule =
  /** An acknowledged write is not in the shared log, is at another LSN, or is there twice. */
  | "acknowledged-lost"
  /** A refused write is in the shared log. */
  | "refused-found"
  /** The shared log has a record that no client wrote, or only a part of a batch. */
  | "never-attempted"
  /** The data of a node differs from the shared log up to the node's LSN. */
  | "not-a-prefix"
  /** The base that the log names does not have exactly the records up to its LSN (C7), cannot be loaded, or loses an object. */
  | "wrong-base"
  /** The reads of a node went back. */
  | "backwards"
  /** The history of the clients is not linearizable. */
  | "not-linearizable"
  /** The nodes differ at the end. */
  | "diverged"
  /** The records of a change feed differ from the shared log. */
  | "wrong-feed"
  /** A promise never settles, or the cluster does not recover. */
  | "hang"
  /** A node failed, although its disk had no fault. */
  | "failed"
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
