import { crc32c } from "@kaya/core";

/**
 * A change as it goes to the process above: LSN, first sequence, and for each operation the key and what its value is known by, null where it
 * is deleted.
 * @typedef {readonly [lsn: number, sequence: number, operations: readonly (readonly [key: string, value: string | null])[]]} ToldChange
 */

/**
 * @param {import("@kaya/engine").Change} change
 * @returns {ToldChange}
 */
export function toTold({ lsn, sequence, operations }) {
  return [
    lsn,
    sequence,
    operations.map((operation) => [
      Buffer.from(operation.key).toString(),
      operation.type === "put" ? digestOfValue(operation.value) : null,
    ]),
  ];
}

/** @param {Uint8Array} value */
export const digestOfValue = (value) => `${value.length} ${crc32c(value)}`;
