export { BlockCache, type BlockCacheOptions, type BlockCacheStats } from "./cache/block-cache.js";
export {
  type EntryCursor,
  type EntryKind,
  type Found,
  PUT,
  type RangeTombstone,
  TOMBSTONE,
} from "./entry.js";
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
export { locateTables, type TableLocation } from "./table/table-location.js";
export type { TableWriterOptions } from "./table/table-options.js";
export { type TableSummary, TableWriter } from "./table/table-writer.js";
