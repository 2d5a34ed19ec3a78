export { BlockCache, type BlockCacheOptions, type BlockCacheStats } from "./cache/block-cache.js";
export type { Load } from "./compaction/pace.js";
export type { TableSource } from "./copy/copy-table.js";
export type { TreeCopyProgress } from "./copy/progress.js";
export { TreeCopy, type TreeCopyOptions, type TreeCopyResult } from "./copy/tree-copy.js";
export {
  type EntryCursor,
  type EntryKind,
  EXPIRING,
  type Found,
  PUT,
  type RangeTombstone,
  TOMBSTONE,
} from "./entry.js";
export {
  inspectManifest,
  inspectManifestPath,
  type ManifestInspection,
  type ManifestInspectionRow,
} from "./manifest/inspect-manifest.js";
export { listManifests, MANIFEST_DIR, manifestNumber } from "./manifest/manifest-files.js";
export type { ManifestState, PlacedTable, TableMeta } from "./manifest/manifest-state.js";
export { type FoundManifest, readManifest } from "./manifest/read-manifest.js";
export type { ManifestDamage, ManifestDamageKind, ManifestRecordType } from "./manifest/record.js";
export type { Verdict } from "./manifest/replay.js";
export { writeManifest } from "./manifest/write-manifest.js";
export { type MergeOptions, MergingCursor } from "./merge/merging-cursor.js";
export type { Run } from "./merge/run.js";
export { Skyline } from "./merge/skyline.js";
export type { Compression } from "./table/compression.js";
export { inspectTable, inspectTablePath } from "./table/inspect-table.js";
export {
  isTableDamage,
  isTableRow,
  type TableDamage,
  type TableInspection,
  type TableInspectionRow,
} from "./table/inspection.js";
export { formatTableDamage, formatTableProperties, formatTableRow } from "./table/inspection-format.js";
export type { TableProperties } from "./table/properties.js";
export type { CursorOptions } from "./table/read-ahead.js";
export { Table, type TableOptions } from "./table/table.js";
export type { TableExpiry } from "./table/table-expiry.js";
export { locateTables, type TableLocation } from "./table/table-location.js";
export type { TableWriterOptions } from "./table/table-options.js";
export { type TableSummary, TableWriter } from "./table/table-writer.js";
export { ValueCopier } from "./table/value-copier.js";
export {
  type CompactionBegin,
  type CompactionMessage,
  type CompactionResult,
  type FlushMessage,
  type FlushResult,
  LSM_CHANNELS,
} from "./tree/channels.js";
export type { FoundTree } from "./tree/found-tree.js";
export { LsmTree } from "./tree/lsm-tree.js";
export type { LsmOptions, TreeFacts } from "./tree/options.js";
export type { LsmSnapshot, SnapshotTable } from "./tree/snapshot.js";
export type { LevelStats, LsmStats } from "./tree/stats.js";
export { formatLsmWarning, type LsmWarning } from "./tree/warnings.js";
export type { FlushEntry, FlushSource } from "./tree/write-flush.js";
export { type TableVerification, type VerifyTableOptions, verifyTable } from "./verify/verify-table.js";
export {
  type TreeDamage,
  type TreeVerification,
  type VerifyProgress,
  type VerifyTreeOptions,
  verifyTree,
} from "./verify/verify-tree.js";
export { EVERYTHING, type Extent, isBefore, overlap } from "./version/extent.js";
export { listTables, TABLE_DIR, tablePath } from "./version/table-files.js";
export type { TreeCursorOptions } from "./version/version.js";
