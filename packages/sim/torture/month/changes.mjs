import { crc32c } from "@kaya/core";

/**
 * For each operation the key and what its value is known by, null where it is deleted; or where a range that is deleted begins and ends, null
 * where it has no end.
 * @typedef {readonly [key: string, value: string | null] | readonly [start: string, end: string | null, isRange: true]} ToldOperation
 *
 * A change as it goes to the process above: LSN, first sequence, operations.
 * @typedef {readonly [lsn: number, sequence: number, operations: readonly ToldOperation[]]} ToldChange
 */

/**
 * @param {import("@kaya/engine").Change} change
 * @returns {ToldChange}
 */
export function toTold({ lsn, sequence, operations }) {
  return [lsn, sequence, operations.map(toToldOperation)];
}

/**
 * @param {import("@kaya/engine").ChangeOperation} operation
 * @returns {ToldOperation}
 */
function toToldOperation(operation) {
  if (operation.type === "deleteRange") {
    const { start, end } = operation;
    return [Buffer.from(start).toString(), end === undefined ? null : Buffer.from(end).toString(), true];
  }
  const key = Buffer.from(operation.key).toString();
  return [key, operation.type === "put" ? digestOfValue(operation.value) : null];
}

/** @param {Uint8Array} value */
export const digestOfValue = (value) => `${value.length} ${crc32c(value)}`;
