import type { TableDamage } from "./format.js";
import type { TableProperties } from "./properties.js";

export type { TableDamage };

/** One block of a table, or its footer. */
export interface TableInspectionRow {
  readonly offset: number;
  /** Bytes in the file, trailer included. */
  readonly length: number;
  readonly kind: "data" | "index" | "top-index" | "filter" | "range-tombstones" | "properties" | "footer";
  readonly encoding: "raw" | "snappy";
  /** Bytes when it is uncompressed. */
  readonly rawLength: number;
  /** Of a data block, an index or range tombstones: what is in it. */
  readonly entries?: number;
  /** As it is stored. */
  readonly checksum: number;
}

export interface TableInspection {
  /** The file's name. */
  readonly table: string;
  readonly bytes: number;
  readonly rows: readonly TableInspectionRow[];
  /** Undefined where they cannot be read. */
  readonly properties: TableProperties | undefined;
  readonly damage: readonly TableDamage[];
}

/** True for damage, false for a row or the properties. */
export function isTableDamage(item: TableInspectionRow | TableDamage | TableProperties): item is TableDamage {
  return "message" in item;
}

/** True for a row, false for damage or the properties. */
export function isTableRow(
  item: TableInspectionRow | TableDamage | TableProperties,
): item is TableInspectionRow {
  return "kind" in item;
}
