// `@kaya/engine/replica`: an engine whose log is a prefix of a shared log. `@kaya/cluster` builds its nodes on it.
export { leaveCluster } from "./leave-cluster.js";
export { openReplica } from "./open-replica.js";
export type { Replica, ReplicaBatch, ReplicaEntry, ReplicaOptions } from "./replica.js";
export { type ReplicaMarker, readReplicaMarker } from "./replica-marker.js";
