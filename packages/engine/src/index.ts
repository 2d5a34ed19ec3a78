export {
  DurabilityMode,
  type EngineConfig,
  KayaError,
  type KayaErrorCode,
  type PartialEngineConfig,
} from "@kaya/core";
export type { ChangesOptions, ChangesStats } from "./changes/change-feeds.js";
export type { Change, ChangeOperation, Changes } from "./changes/changes.js";
export type { AddedConsumer, Consumer } from "./changes/consumers.js";
export {
  type ConsumerLook,
  type LookAtConsumersOptions,
  lookAtConsumers,
} from "./changes/look-at-consumers.js";
export {
  type CheckpointMessage,
  ENGINE_CHANNELS,
  type PhaseMessage,
  type RecoveryMessage,
} from "./channels.js";
export type { BackupOptions, BackupResult } from "./checkpoint/backup.js";
export {
  type CheckpointDirectory,
  type CheckpointFile,
  checkpointLsn,
  type ImpossibleCheckpoint,
  listCheckpoints,
} from "./checkpoint/checkpoint-files.js";
export type { CheckpointResult, WrittenCheckpoint } from "./checkpoint/checkpointer.js";
export type { CheckpointStats } from "./checkpoint/checkpoints.js";
export type { Clock } from "./checkpoint/pace.js";
export type { CheckpointProgress } from "./checkpoint/write-checkpoint.js";
export type { BatchCondition } from "./conditions.js";
export { Engine, type OpenEngineOptions } from "./engine.js";
export type { Entry } from "./entry.js";
export type { Bytes } from "./input.js";
export type { HashSecret } from "./memtable/hash.js";
export type { KeyBounds, RangeOptions } from "./range.js";
export { type RecoverEngineOptions, type RecoveryReport, recover } from "./recover.js";
export { type RecoverToOptions, type RecoverToResult, recoverTo } from "./recover-to.js";
export type { RecoveryProgress } from "./recovery-progress.js";
export type { KeyValue, Scan } from "./scan.js";
export type { Snapshot } from "./snapshot.js";
export type { EngineState, EngineStats } from "./stats.js";
export { lookSteadily } from "./steady-look.js";
export type { Turns } from "./turns.js";
export type {
  BatchOperation,
  BatchOptions,
  ClearOperation,
  DeleteOperation,
  PutOperation,
  WriteOptions,
  WriteResult,
} from "./write.js";
