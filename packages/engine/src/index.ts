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
export type { BackupOptions, BackupResult } from "./checkpoint/backup.js";
export type { CheckpointResult, WrittenCheckpoint } from "./checkpoint/checkpointer.js";
export type { CheckpointStats } from "./checkpoint/checkpoints.js";
export type { CheckpointProgress } from "./checkpoint/write-checkpoint.js";
export { Engine, type OpenEngineOptions } from "./engine.js";
export type { Bytes } from "./input.js";
export type { RangeOptions } from "./range.js";
export { type RecoverEngineOptions, type RecoveryReport, recover } from "./recover.js";
export type { KeyValue, Scan } from "./scan.js";
export type { Snapshot } from "./snapshot.js";
export type { EngineState, EngineStats } from "./stats.js";
export type { BatchOperation, WriteOptions, WriteResult } from "./write.js";
