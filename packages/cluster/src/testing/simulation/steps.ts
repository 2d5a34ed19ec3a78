import type { SimCallKind, SimFault, SimPartition } from "../sim-faults.js";

/** A call of a client. `node` is the index of a node; writes with `toWriter` go to the node that says that it is the writer, if there is one. */
export type ClientStep =
  | {
      readonly step: "put" | "delete";
      readonly node: number;
      readonly toWriter: boolean;
      readonly key: number;
    }
  | {
      /** Writes several keys if `condition` has what it had on the node when the client looked. */
      readonly step: "batch" | "transact";
      readonly node: number;
      readonly toWriter: boolean;
      readonly condition: number;
      readonly keys: readonly number[];
    }
  | { readonly step: "get" | "local-get"; readonly node: number; readonly key: number }
  | { readonly step: "snapshot"; readonly node: number; readonly keys: readonly number[] };

/** What happens to a node. */
export type NodeStep =
  | {
      readonly step:
        | "crash"
        | "kill"
        | "wipe"
        | "close"
        | "open"
        | "stop"
        | "go-on"
        | "heal"
        | "lose-presence"
        | "flush"
        | "promote"
        | "step-down"
        | "compare"
        | "token";
      readonly node: number;
    }
  | { readonly step: "partition"; readonly node: number; readonly how: SimPartition }
  | {
      readonly step: "disk-fault";
      readonly node: number;
      readonly kind: "disk-full" | "io-error" | "fsync-failed";
      readonly after: number;
    };

/** A kind of call of the shared log, and what goes wrong with it. */
export interface StruckCall {
  readonly call: SimCallKind;
  readonly fault: SimFault;
}

/** What happens to all of it. */
export type WorldStep =
  | { readonly step: "advance"; readonly ms: number }
  | { readonly step: "lose-majority" }
  | { readonly step: "restore-majority"; readonly pending: "done" | "dropped" }
  | { readonly step: "full"; readonly isFull: boolean }
  /** From now on so many of 100 calls of the log meet a fault. */
  | { readonly step: "weather"; readonly percent: number }
  /** The next call of a kind meets a fault; then the next calls of the same node meet the others, in their order. */
  | { readonly step: "fault"; readonly faults: readonly StruckCall[] };

/** Any part of a run's steps is a run. */
export type ClusterStep = ClientStep | NodeStep | WorldStep;
