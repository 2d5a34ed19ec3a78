import type { TableDamage, TableInspectionRow } from "./inspection.js";
import type { TableProperties } from "./properties.js";

/** A block as one line of text. */
export function formatTableRow(row: TableInspectionRow): string {
  let line = `offset=${row.offset} bytes=${row.length} kind=${row.kind}`;
  if (row.encoding !== "raw") line += ` encoding=${row.encoding} raw_bytes=${row.rawLength}`;
  if (row.entries !== undefined) line += ` entries=${row.entries}`;
  return `${line} crc32c=${row.checksum.toString(16).padStart(8, "0")} checksum=ok`;
}

/** Damage of a table as one line of text. */
export function formatTableDamage({ offset, message }: TableDamage): string {
  return `CORRUPTION offset=${offset} ${message}`;
}

/** What a table says of itself, as one line of text. */
export function formatTableProperties(properties: TableProperties): string {
  const { entries, tombstones, rangeTombstones, dataBlocks, rawBytes, storedBytes, expiry } = properties;
  const expires =
    expiry === undefined
      ? ""
      : ` expiring=${expiry.entries} earliest_expiry=${expiry.earliest} half_expired=${expiry.half} latest_expiry=${expiry.latest}`;
  return (
    `entries=${entries} tombstones=${tombstones} range_tombstones=${rangeTombstones} data_blocks=${dataBlocks} ` +
    `raw_bytes=${rawBytes} stored_bytes=${storedBytes} seq=${properties.smallestSequence}..${properties.largestSequence}${expires}`
  );
}
