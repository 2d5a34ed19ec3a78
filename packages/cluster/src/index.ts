export { directoryBlobStore } from "./blob/directory-blob-store.js";
export { s3BlobStore } from "./blob/s3-blob-store.js";
export type { S3BlobStoreOptions, S3ClientLike } from "./blob/s3-options.js";
export type { BlobInfo, BlobOptions, BlobRange, BlobStore } from "./blob-store.js";
export {
  type AppendMessage,
  type BaseMessage,
  CLUSTER_CHANNELS,
  type LagMessage,
  type NodeMessage,
  type NodeRole,
  type RoleMessage,
  type TroubleMessage,
} from "./channels.js";
export { type ClusterClock, SYSTEM_CLOCK } from "./clock.js";
export { ClusterEngine, type ClusterEngineStats } from "./cluster-engine.js";
export type { ReadOptions } from "./cluster-reads.js";
export { type EtcdAlarm, type EtcdLog, etcdLog } from "./etcd/etcd-log.js";
export type { EtcdLogOptions, EtcdTls } from "./etcd/options.js";
export { CLUSTER_METRICS } from "./metrics/cluster-metrics.js";
export type { ClusterEvents } from "./node-events.js";
export type { OpenClusterOptions } from "./open-node.js";
export type { ClusterOptions } from "./options.js";
export {
  type ReplicaLag,
  type ReplicaPosition,
  type ReplicateOptions,
  Replication,
  type ReplicationEvents,
  replicate,
} from "./replicate/replicate.js";
export {
  listRestorable,
  type RestorableGeneration,
  type RestoreOptions,
  type RestoreProgress,
  type RestoreResult,
  restore,
} from "./replicate/restore.js";
export type {
  CallOptions,
  EpochStart,
  LogBase,
  LogClaim,
  LogEntry,
  LogHead,
  LogPage,
  Members,
  NodeInfo,
  Presence,
  SharedLog,
} from "./shared-log.js";
export type { ClusterStats } from "./stats.js";
