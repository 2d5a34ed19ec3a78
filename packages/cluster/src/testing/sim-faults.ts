/** A call of a `SharedLog` over `SimLog`, or a page of its `follow`. */
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

/** A call that is about to leave a node. */
export interface SimCall {
  /** The client's name. */
  readonly client: string;
  /** Which method was called. */
  readonly kind: SimCallKind;
  /** 1 for the log's first call of all clients, then one more for each. */
  readonly number: number;
  /** 1 for the first call of this kind by this client, then one more for each. */
  readonly nth: number;
}

/** Until when something waits: virtual milliseconds, or a promise. */
export type SimDelay = number | Promise<unknown>;

/**
 * What goes wrong with one call. A read that gets no answer rejects with KAYA_NO_MAJORITY, a write with KAYA_IN_DOUBT; `afterMs` is when, and the
 * log's `timeoutMs` if it is absent (0: at once, as if the connection broke).
 */
export type SimFault =
  /** The request is lost before it is done. */
  | { readonly kind: "requestLost"; readonly afterMs?: number }
  /** It is done, and the reply is lost. */
  | { readonly kind: "replyLost"; readonly afterMs?: number }
  /** The request or the reply arrives late. The request is done also if the caller has given up meanwhile. */
  | { readonly kind: "delay"; readonly request?: SimDelay; readonly reply?: SimDelay }
  /** No machine could be reached: KAYA_NO_MAJORITY at once, and nothing was done. */
  | { readonly kind: "noMajority" }
  /** There was no room: KAYA_DISK_FULL, and nothing was done. */
  | { readonly kind: "diskFull" }
  /** The log refuses the node's password: KAYA_IO, and nothing was done. */
  | { readonly kind: "refused" };

/** Chooses the fault of each call; undefined: none. */
export type SimFaultPlan = (call: SimCall) => SimFault | undefined;

/**
 * How a client is cut off. `drop`: nothing arrives in either direction. `refuse`: connections are refused, so that each call knows at once that it did
 * nothing. `replies`: requests arrive and are done, replies do not come back.
 */
export type SimPartition = "drop" | "refuse" | "replies";
