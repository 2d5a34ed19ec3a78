import type { TableDamage } from "./format.js";
import type { TableProperties } from "./properties.js";

export type { TableDamage };

/** One block of a table, or its footer. */
export interface TableInspectionRow {
  /** Offset of the block's first byte in its file. */
  readonly offset: number;
  /** Bytes in the file, trailer included. */
  readonly length: number;
  /** The kind of the block. */
  readonly kind: "data" | "index" | "top-index" | "filter" | "range-tombstones" | "properties" | "footer";
  /** How the block is stored: as it is, or compressed. */
  readonly encoding: "raw" | "snappy";
  /** Bytes when it is uncompressed. */
  readonly rawLength: number;
  /** How many entries a data block, an index or a block of range tombstones has. */
  readonly entries?: number;
  /** The checksum of the block, as it is stored. */
  readonly checksum: number;
}

/** The blocks of a table, and what is wrong with them. */
export interface TableInspection {
  /** The name of the table's file. */
  readonly table: string;
  /** Bytes of the file. */
  readonly bytes: number;
  /** Its blocks, in the order of their offsets. */
  readonly rows: readonly TableInspectionRow[];
  /** What the table says of itself; undefined if that cannot be read. */
  readonly properties: TableProperties | undefined;
  /** What is wrong; empty if nothing is. */
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
