import { channel } from "node:diagnostics_channel";
import type { KayaError, Lsn } from "@kaya/core";

/** The role of a node. A node that is `claiming` becomes the writer; one that has `failed` only reads. */
export type NodeRole = "writer" | "follower" | "claiming" | "failed" | "closed";

/** Names of the `node:diagnostics_channel`s on which a node publishes. */
export const CLUSTER_CHANNELS = {
  /** The node has another role. Messages are `RoleMessage`s. */
  role: "kaya:cluster:role",
  /** The node fell behind the shared log, or is level with it again. Messages are `LagMessage`s. */
  lag: "kaya:cluster:lag",
  /** A group commit is in the shared log, or was refused. Messages are `AppendMessage`s. */
  append: "kaya:cluster:append",
  /** A base was named, or loaded, or the shared log was trimmed. Messages are `BaseMessage`s. */
  base: "kaya:cluster:base",
  /** A failure that is tried again; the same one comes again after pauses that double. Messages are `TroubleMessage`s. */
  trouble: "kaya:cluster:trouble",
} as const;

/** The node that publishes. */
export interface NodeMessage {
  /** The absolute path of the data directory; undefined for a disk that has none. */
  readonly dataDir: string | undefined;
  /** The id of the node. */
  readonly nodeId: string;
}

/** A message of the channel `kaya:cluster:role`. */
export interface RoleMessage extends NodeMessage {
  /** The role now. */
  readonly role: NodeRole;
  /** The role before. */
  readonly before: NodeRole;
  /** The epoch of the newest head that the node has seen; 0 before the first. */
  readonly epoch: number;
}

/** A message of the channel `kaya:cluster:lag`. */
export interface LagMessage extends NodeMessage {
  /** `behind`: the node lacks records that it knows of. `level`: it has them all. */
  readonly state: "behind" | "level";
  /** The last record that can be read here. */
  readonly lsn: Lsn;
  /** The last record of the newest head that the node has seen. */
  readonly headLsn: Lsn;
  /** How long it has been behind, in milliseconds; 0 for `behind`. */
  readonly lagMs: number;
}

/** A message of the channel `kaya:cluster:append`. */
export type AppendMessage = NodeMessage & {
  /** The first record of the group commit. */
  readonly firstLsn: Lsn;
  /** Its last record. */
  readonly lastLsn: Lsn;
} & (
    | {
        /** It is in the shared log. */
        readonly result: "appended";
        /** Bytes of its records. */
        readonly bytes: number;
        /** From the first attempt until the log confirmed it, in milliseconds. */
        readonly durationMs: number;
      }
    | {
        /** It is not in the shared log; with KAYA_IN_DOUBT it may be. */
        readonly result: "refused";
        /** The error of its writes. */
        readonly error: KayaError;
      }
  );

/** A message of the channel `kaya:cluster:base`. */
export interface BaseMessage extends NodeMessage {
  /** `named`: the writer made a base. `loaded`: this node began with a base. `trimmed`: the writer removed records that a base has. */
  readonly state: "named" | "loaded" | "trimmed";
  /** The last record of the base, or the last one that was trimmed. */
  readonly lsn: Lsn;
}

/** A message of the channel `kaya:cluster:trouble`. */
export interface TroubleMessage extends NodeMessage {
  /** The error of the failed call. */
  readonly error: KayaError;
}

// Kept here, because Node drops a channel without references.
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
