import { channel } from "node:diagnostics_channel";
import type { KayaError, Lsn } from "@kaya/core";

/** The role of a node. A `claiming` node is becoming the writer. A `failed` node can only be read until it is opened again. */
export type NodeRole = "writer" | "follower" | "claiming" | "failed" | "closed";

/** Names of the `node:diagnostics_channel`s on which a node publishes. */
export const CLUSTER_CHANNELS = {
  /** The node has another role. Messages are `RoleMessage`s. */
  role: "kaya:cluster:role",
  /** The node fell behind the shared log, or has caught up with it. Messages are `LagMessage`s. */
  lag: "kaya:cluster:lag",
  /** A group commit was appended to the shared log, or was refused. Messages are `AppendMessage`s. */
  append: "kaya:cluster:append",
  /** The shared log names a new base, this node loaded a base, or the shared log was trimmed. Messages are `BaseMessage`s. */
  base: "kaya:cluster:base",
  /** A call failed and is tried again. If it keeps failing, the message is repeated after pauses that double. Messages are `TroubleMessage`s. */
  trouble: "kaya:cluster:trouble",
} as const;

/** The node that publishes. */
export interface NodeMessage {
  /** The absolute path of the data directory; undefined for a disk without one. */
  readonly dataDir: string | undefined;
  /** The id of the node. */
  readonly nodeId: string;
}

/** A message of the channel `kaya:cluster:role`. */
export interface RoleMessage extends NodeMessage {
  /** The new role. */
  readonly role: NodeRole;
  /** The previous role. */
  readonly before: NodeRole;
  /** The epoch of the newest head that the node has seen; 0 before it has seen one. */
  readonly epoch: number;
}

/** A message of the channel `kaya:cluster:lag`. */
export interface LagMessage extends NodeMessage {
  /** `behind`: the node knows of records that it does not have. `level`: it has all records that it knows of. */
  readonly state: "behind" | "level";
  /** LSN of the last record that can be read on this node. */
  readonly lsn: Lsn;
  /** LSN of the last record of the newest head that the node has seen. */
  readonly headLsn: Lsn;
  /** How long the node has been behind, in milliseconds; 0 for the state `behind`. */
  readonly lagMs: number;
}

/** A message of the channel `kaya:cluster:append`. */
export type AppendMessage = NodeMessage & {
  /** LSN of the first record of the group commit. */
  readonly firstLsn: Lsn;
  /** LSN of its last record. */
  readonly lastLsn: Lsn;
} & (
    | {
        /** The group commit is in the shared log. */
        readonly result: "appended";
        /** The size of its records in bytes. */
        readonly bytes: number;
        /** From the first attempt until the log confirmed it, in milliseconds. */
        readonly durationMs: number;
      }
    | {
        /** The group commit is not in the shared log; with KAYA_IN_DOUBT it may be. */
        readonly result: "refused";
        /** The error with which its writes reject. */
        readonly error: KayaError;
      }
  );

/** A message of the channel `kaya:cluster:base`. */
export interface BaseMessage extends NodeMessage {
  /**
   * `named`: the writer made a base, and the log names it. `loaded`: this node loaded a base. `trimmed`: the writer removed records that a
   * base has.
   */
  readonly state: "named" | "loaded" | "trimmed";
  /** LSN of the last record of the base, or of the last record that was trimmed. */
  readonly lsn: Lsn;
}

/** A message of the channel `kaya:cluster:trouble`. */
export interface TroubleMessage extends NodeMessage {
  /** The error of the failed call. */
  readonly error: KayaError;
}

// The references stay here because Node.js drops a channel without references.
const channels = {
  role: channel(CLUSTER_CHANNELS.role),
  lag: channel(CLUSTER_CHANNELS.lag),
  append: channel(CLUSTER_CHANNELS.append),
  base: channel(CLUSTER_CHANNELS.base),
  trouble: channel(CLUSTER_CHANNELS.trouble),
};

interface Messages {
  readonly role: RoleMessage;
  readonly lag: LagMessage;
  readonly append: AppendMessage;
  readonly base: BaseMessage;
  readonly trouble: TroubleMessage;
}

/** @param message called only if the channel has subscribers */
export function tell<K extends keyof Messages>(name: K, message: () => Messages[K]): void {
  const to = channels[name];
  if (to.hasSubscribers) to.publish(message());
}
