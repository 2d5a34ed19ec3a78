import type { SimCallKind, SimFault, SimPartition } from "../sim-faults.js";

/** A call of a client. `node` is the index of a node. A write with `toWriter` goes to the node with the role "writer", if there is one. */
export type ClientStep =
  | {
      readonly step: "put" | "delete";
      readonly node: number;
      readonly toWriter: boolean;
      readonly key: number;
    }
  | {
      /** Writes several keys if `condition` still has the value that the client read on the node. */
      readonly step: "batch" | "transact";
      readonly node: number;
      readonly toWriter: boolean;
      readonly condition: number;
      readonly keys: readonly number[];
    }
  | { readonly step: "get" | "local-get"; readonly node: number; readonly key: number }
  | { readonly step: "snapshot"; readonly node: number; readonly keys: readonly number[] };

/** An event of one node. */
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

/** A kind of call of the shared log, and the fault that is injected into it. */
export interface StruckCall {
  readonly call: SimCallKind;
  readonly fault: SimFault;
}

/** An event of the whole cluster. */
export type WorldStep =
  | { readonly step: "advance"; readonly ms: number }
  | { readonly step: "lose-majority" }
  | { readonly step: "restore-majority"; readonly pending: "done" | "dropped" }
  | { readonly step: "full"; readonly isFull: boolean }
  /** From now on this percentage of the calls of the log meets a fault. */
  | { readonly step: "weather"; readonly percent: number }
  /** The next call of the first kind meets the first fault. Then the next calls of the same node meet the other faults, in order. */
  | { readonly step: "fault"; readonly faults: readonly StruckCall[] };

/** A step of a run. Any subset of a run's steps is a run as well. */
export type ClusterStep = ClientStep | NodeStep | WorldStep;
