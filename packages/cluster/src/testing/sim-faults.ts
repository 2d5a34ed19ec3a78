/** The kind of a call of a `SharedLog` over `SimLog`; each page of `follow` is a call too. */
export type SimCallKind =
  | "head"
  | "claim"
  | "append"
  | "read"
  | "follow"
  | "base"
  | "setBase"
  | "trim"
  | "announce"
  | "renew"
  | "end"
  | "members"
  | "want";

/** A call that a node is about to send. */
export interface SimCall {
  /** The client's name. */
  readonly client: string;
  /** Which method was called. */
  readonly kind: SimCallKind;
  /** The number of the call, among the calls of all clients: 1 for the first. */
  readonly number: number;
  /** The number of the call, among the calls of this kind of this client: 1 for the first. */
  readonly nth: number;
}

/** How long a message waits: virtual milliseconds, or until a promise settles. */
export type SimDelay = number | Promise<unknown>;

/**
 * A fault that is injected into one call. A read that gets no answer rejects with KAYA_NO_MAJORITY, and a write with KAYA_IN_DOUBT.
 * `afterMs` is the time until it rejects. Default: the log's `timeoutMs`. 0: immediately, as if the connection broke.
 */
export type SimFault =
  /** The request is lost. The call is not done. */
  | { readonly kind: "requestLost"; readonly afterMs?: number }
  /** The call is done, and the reply is lost. */
  | { readonly kind: "replyLost"; readonly afterMs?: number }
  /** The request or the reply arrives late. A late request is done even if the caller has given up. */
  | { readonly kind: "delay"; readonly request?: SimDelay; readonly reply?: SimDelay }
  /** No machine can be reached: KAYA_NO_MAJORITY immediately, and nothing is done. */
  | { readonly kind: "noMajority" }
  /** There is no room: KAYA_DISK_FULL, and nothing is done. */
  | { readonly kind: "diskFull" }
  /** The log refuses the node's password: KAYA_IO, and nothing is done. */
  | { readonly kind: "refused" };

/** Chooses the fault of each call; undefined: no fault. */
export type SimFaultPlan = (call: SimCall) => SimFault | undefined;

/**
 * The kind of a network partition between a client and the log. `drop`: no message arrives in either direction. `refuse`: connections are
 * refused, so each call knows immediately that nothing was done. `replies`: requests arrive and are done, but replies do not come back.
 */
export type SimPartition = "drop" | "refuse" | "replies";
