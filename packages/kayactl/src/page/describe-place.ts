import { formatBytes, formatCount, plural } from "../units.js";
import { type Place, rangeAt, recordsOf } from "./log-model.js";
import { type Items, RECORD_TYPES } from "./page-data.js";

/** What is at a place, in a few short lines. */
export function describePlace({ segment, offset, item }: Place): string[] {
  const { rows } = segment;
  if (item < 0) {
    const range = rangeAt(segment, offset);
    if (range === undefined) return [`offset ${offset}`];
    const size = `offset ${range.from} to ${range.to}, ${formatBytes(range.to - range.from)}`;
    return [
      { damage: "Damage", torn: "An unfinished write", cut: "Not part of the log", zeros: "Never written" }[
        range.kind
      ],
      range.text,
      size,
    ];
  }
  const row = rows.rowAt(item);
  if (row === undefined) return describeGroup(rows, item);
  const { type, lsn, sequence, keyLength, valueLength, startLength, endLength, operations, encodedLength } =
    row;
  const parts = [
    keyLength === undefined ? undefined : `key ${formatBytes(keyLength)}`,
    valueLength === undefined ? undefined : `value ${formatBytes(valueLength)}`,
    startLength === undefined ? undefined : `start ${formatBytes(startLength)}`,
    startLength === undefined
      ? undefined
      : endLength === undefined
        ? "no end"
        : `end ${formatBytes(endLength)}`,
    operations === undefined ? undefined : plural(operations, "operation"),
  ].filter((part) => part !== undefined);
  return [
    `${type}  LSN ${lsn}  sequence ${sequence}`,
    ...(parts.length > 0 ? [parts.join(", ")] : []),
    `offset ${row.offset}, ${formatBytes(encodedLength)}`,
  ];
}

function describeGroup(rows: Items, item: number): string[] {
  const kinds = RECORD_TYPES.map((name, type) => ({ name, count: rows.countOf(item, type) }));
  const total = recordsOf(rows, item);
  const first = rows.lsns[item] ?? 0;
  const [from = 0, to = 0] = [rows.offsets[item], rows.offsets[item + 1]];
  return [
    `${plural(total, "record")}, LSN ${first} to ${first + total - 1}`,
    kinds
      .filter(({ count }) => count > 0)
      .map(({ name, count }) => `${name} ${formatCount(count)}`)
      .join(", "),
    `offset ${from}, ${formatBytes(to - from)}`,
  ];
}
