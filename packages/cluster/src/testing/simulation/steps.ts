import type { SimCallKind, SimFault, SimPartition } from "../sim-faults.js";
import type { StoreCallKind, StoreFault } from "./store-client.js";

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

/** A call of the shared log or of the blob store that a process is about to send. */
export interface WorldCall {
  /** The name of the process. */
  readonly client: string;
  readonly kind: SimCallKind | StoreCallKind;
  /** The number of the call, among the calls of all processes: 1 for the first. */
  readonly number: number;
}

/** A kind of call, and the fault that is injected into it. */
export type StruckCall =
  | { readonly call: SimCallKind; readonly fault: SimFault }
  | { readonly call: StoreCallKind; readonly fault: StoreFault };

/** An event of the whole cluster. */
export type WorldStep =
  | { readonly step: "advance"; readonly ms: number }
  | { readonly step: "lose-majority" }
  | { readonly step: "restore-majority"; readonly pending: "done" | "dropped" }
  | { readonly step: "full"; readonly isFull: boolean }
  /** The blob store cannot be reached, or can be reached again. */
  | { readonly step: "store"; readonly isDown: boolean }
  /** From now on this percentage of the calls meets a fault. */
  | { readonly step: "weather"; readonly percent: number }
  /** The next call of the first kind meets the first fault. Then the next calls of the same process meet the other faults, in order. */
  | { readonly step: "fault"; readonly faults: readonly StruckCall[] }
  | InterruptStep;

/** The process that makes the next call of this kind is stopped before it sends the request, or dies there. */
export interface InterruptStep {
  readonly step: "interrupt";
  readonly call: WorldCall["kind"];
  readonly how: "stop" | "crash" | "kill";
}

/** A step of a run. Any subset of a run's steps is a run as well. */
export type ClusterStep = ClientStep | NodeStep | WorldStep;
