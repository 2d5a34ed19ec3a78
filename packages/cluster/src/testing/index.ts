export { blobStoreContract, type ContractCheck } from "./blob-store-contract.js";
export type { TestCertificates } from "./etcd/certificates.js";
export { EtcdPuts } from "./etcd/etcd-puts.js";
export { freePorts } from "./etcd/ports.js";
export { EtcdCluster, EtcdMember, type StartEtcdOptions, startEtcd, whyNoEtcd } from "./etcd/start-etcd.js";
export { type ProxyMode, TcpProxy } from "./etcd/tcp-proxy.js";
export {
  checkLinearizability,
  describeLinearizability,
  describeOperation,
  type HistoryOperation,
  HistoryRecorder,
  type KeyedValue,
  type LinearizabilityOptions,
  type LinearizabilityResult,
  type LinearizabilityViolation,
  type OpenCall,
  type OperationOutcome,
  type RegisterValue,
} from "./linearizability/index.js";
export { type SharedLogFixture, sharedLogContract } from "./log-contract.js";
export { SimClock, type SimClockOptions } from "./sim-clock.js";
export type { SimCall, SimCallKind, SimDelay, SimFault, SimFaultPlan, SimPartition } from "./sim-faults.js";
export { SimLog, type SimLogOptions } from "./sim-log.js";
export {
  type ClusterExplorationOptions,
  type ClusterExplorationReport,
  exploreCluster,
  exploreFaults,
} from "./simulation/explore.js";
export type { GenerateClusterOptions } from "./simulation/generate.js";
export {
  type ClusterSimulationResult,
  describeClusterViolation,
  runClusterSimulation,
  runClusterSteps,
} from "./simulation/simulation.js";
export type { ClusterStep } from "./simulation/steps.js";
export type { ClusterRule, ClusterViolation } from "./simulation/violation.js";
