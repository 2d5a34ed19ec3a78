export {
  DurabilityMode,
  type EngineConfig,
  KayaError,
  type KayaErrorCode,
  type PartialEngineConfig,
} from "@kaya/core";
export type { BackupOptions, BackupProgress, BackupResult, WrittenDirectory } from "./backup/backup.js";
export type { ChangesOptions, ChangesStats } from "./changes/change-feeds.js";
export type { Change, ChangeOperation, Changes } from "./changes/changes.js";
export type { AddConsumerOptions, AddedConsumer, Consumer } from "./changes/consumers.js";
export {
  type ConsumerLook,
  type LookAtConsumersOptions,
  lookAtConsumers,
} from "./changes/look-at-consumers.js";
export {
  ENGINE_CHANNELS,
  type EngineStateMessage,
  type FlushMessage,
  type PhaseMessage,
  type RecoveryMessage,
  type SourceStateMessage,
} from "./channels.js";
export type { ClockSource } from "./clock.js";
export type { BatchCondition } from "./conditions.js";
export { Engine, type OpenEngineOptions } from "./engine.js";
export type { Entry } from "./entry.js";
export type { Expiry } from "./expiry.js";
export type {
  CheckedIndexes,
  IndexKeyOf,
  IndexOptions,
  IndexPrefixOf,
} from "./indexes/index-options.js";
export type { IndexOf, IndexReader, IndexRow, ManyIndex, UniqueIndex } from "./indexes/index-reader.js";
export type { IndexRows } from "./indexes/index-rows.js";
export { isReserved as isReservedKey } from "./indexes/reserved.js";
export {
  type EntriesReport,
  type IndexProblem,
  type IndexSummary,
  verifyIndexEntries,
} from "./indexes/verify-entries.js";
export type { IndexVerification } from "./indexes/verify-rows.js";
export type { Bytes } from "./input.js";
export type { HashSecret } from "./memtable/hash.js";
export type { Page, PageOptions } from "./page.js";
export type { KeyBounds, RangeOptions, ToArrayOptions } from "./range.js";
export type { Reader } from "./reader.js";
export { type RecoverEngineOptions, type RecoveryReport, recover } from "./recover.js";
export { type RecoverToOptions, type RecoverToResult, recoverTo } from "./recover-to.js";
export type { RecoveryProgress } from "./recovery-progress.js";
export type { KeyValue } from "./row.js";
export type { Rows, Scan } from "./scan.js";
export type { Snapshot } from "./snapshot.js";
export type { EngineState, EngineStats, MemtableStats } from "./stats.js";
export { lookSteadily } from "./steady-look.js";
export type { FlushResult } from "./store/flusher.js";
export type { FlushStats } from "./store/flushes.js";
export type { TablesReport } from "./store/tables-report.js";
export type { SyncRows, SyncScan } from "./sync-scan.js";
export type { Transaction } from "./transaction/transaction.js";
export type { Turns } from "./turns.js";
export {
  KEEP,
  type RetryOptions,
  type Updated,
  type UpdateFunction,
  type UpdateOptions,
  type UpdateResult,
} from "./update.js";
export type { Codec, PrefixCodec } from "./view/codecs/codec.js";
export { type JsonOf, type JsonValue, json, type Something } from "./view/codecs/json.js";
export { type MsgpackrModule, msgpack } from "./view/codecs/msgpack.js";
export { type Tuple, type TupleElement, type TuplePrefix, tuple } from "./view/codecs/tuple.js";
export type { InputOf, OutputOf, SchemaIssue, SchemaResult, StandardSchema } from "./view/schema.js";
export type {
  View,
  ViewOf,
  ViewOptions,
  ViewUpdated,
  ViewUpdateFunction,
  ViewUpdateResult,
} from "./view/view.js";
export type { ViewChangeOperation } from "./view/view-change.js";
export type { ViewChange, ViewChanges } from "./view/view-changes.js";
export type { ViewBounds, ViewRange } from "./view/view-keys.js";
export type {
  PutOperationOptions,
  ViewBatchOptions,
  ViewCondition,
  ViewOperation,
  ViewOperations,
} from "./view/view-operations.js";
export type { ViewEntry, ViewPage, ViewReader } from "./view/view-reader.js";
export type { ViewKeyValue, ViewSyncScan } from "./view/view-rows.js";
export type { ViewSnapshot } from "./view/view-snapshot.js";
export type { ViewTransaction } from "./view/view-transaction.js";
export type { KeyChoice, KeyOf, PrefixOf, ValueChoice, ValueInput, ValueOutput } from "./view/view-types.js";
export type { ViewWatch } from "./view/view-watch.js";
export type { WatchChange } from "./watch/pending-changes.js";
export type { Watch } from "./watch/watch.js";
export type { WatchOptions } from "./watch/watches.js";
export type {
  BatchOperation,
  BatchOptions,
  ClearOperation,
  DeleteOperation,
  PutOperation,
  PutOptions,
  WriteOptions,
  WriteResult,
} from "./write.js";
