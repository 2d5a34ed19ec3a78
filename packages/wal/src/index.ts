export type { AppendResult, OnCommit } from "./batch.js";
export { EncodedOperations } from "./batch-operations.js";
export type { PendingChange } from "./batch-queue.js";
export {
  WAL_CHANNELS,
  type WalCommitMessage,
  type WalFsyncMessage,
  type WalPoisonedMessage,
  type WalRotationMessage,
} from "./channels.js";
export type { KeptLog } from "./closed-segments.js";
export type { CommitTo, CommittedBatch } from "./commit-to.js";
export {
  operationCount,
  operationsOf,
  type RangeDelete,
  WAL_HEADER_LENGTH,
  WAL_MAGIC,
  WAL_VERSION,
  type WalOperation,
  type WalOperations,
  type WalPayload,
  type WalRecord,
  WalRecordType,
} from "./format.js";
export { type Distribution, Histogram } from "./histogram.js";
export {
  type InspectedRecord,
  type InspectOptions,
  inspectRecords,
  inspectWal,
  inspectWalPath,
  isWarning,
  type SegmentInspection,
  type WalInspection,
  type WalInspectionRow,
} from "./inspect.js";
export {
  formatInspection,
  formatInspectionRow,
  formatInspectionWarning,
  isDamage,
} from "./inspection-format.js";
export { assertOneStoreOn, type LogCover } from "./log-cover.js";
export type { LogFollower } from "./log-follower.js";
export { isLogId, LogHistory, type LogOrigin } from "./log-history.js";
export { checkedLogId, type NewLogId, randomLogId, readLogHistory } from "./log-identity.js";
export { formatLogMark, type LogMark, parseLogMark } from "./log-mark.js";
export type { OnRecovered, RecoveredRecord, ScanProgress } from "./log-scan.js";
export type { WalActivity } from "./log-watch.js";
export { OperationsBuffer } from "./operations-buffer.js";
export {
  listQuarantine,
  type QuarantineCleaned,
  type QuarantineFile,
  type QuarantineKind,
  type QuarantineSummary,
} from "./quarantine.js";
export { type LogReading, type ReadLogOptions, readLog } from "./read-log.js";
export { type DecodeResult, decodeRecord, encodeRecord } from "./record-codec.js";
export { type OnFileRecord, RecordBuffer, readRecordFile } from "./record-file.js";
export { type RecoverOptions, recoverWal, type WalRecoveryReport } from "./recovery.js";
export { type Decision, RECOVERY_TABLE, type Situation } from "./recovery-decision.js";
export type { ReplicatedRecords } from "./replicated.js";
export { makeNameDurable, readSealedFile, writeSealedFile } from "./sealed-file.js";
export { locateSegments, type SegmentLocation } from "./segment-location.js";
export { listSegments, type SegmentFile, WAL_DIR, type WalDirectory } from "./segments.js";
export {
  formatWarning,
  formatWarningFields,
  type LogWarning,
  type RecordWarning,
  type WalWarning,
} from "./warnings.js";
export { type WalStats, WalWriter, type WalWriterOptions } from "./writer.js";
