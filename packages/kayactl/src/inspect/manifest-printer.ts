import type { ManifestInspection, ManifestInspectionRow, ManifestState, TableMeta } from "@kaya/lsm";
import { jsonField, toJson } from "../bytes.js";
import type { Colors } from "../terminal/output.js";
import { displayBytes, escapeText } from "../terminal/text.js";

export interface ManifestLinesOptions {
  /** Each manifest under a line of its own. */
  readonly isDirectory: boolean;
  /** The tables that are alive in the end, instead of each record. */
  readonly summary: boolean;
  readonly colors: Colors;
}

/** A line a record and a line for each table in it, a line for damage, and a line for what it comes to. */
export function manifestLines(
  inspection: ManifestInspection,
  { isDirectory, summary, colors }: ManifestLinesOptions,
): string[] {
  const { manifest, bytes, rows, state, verdict } = inspection;
  const alive = state.levels.flatMap((tables, level) =>
    tables.map((table) => `  ${tableText(level, table)}`),
  );
  return [
    ...(isDirectory ? [colors.bold(`manifest=${escapeText(manifest)} bytes=${bytes}`)] : []),
    ...(summary ? alive : rows.flatMap(rowLines)),
    ...(verdict === "whole" ? [] : [colors.red(escapeText(damageText(inspection)))]),
    `${stateText(state)} verdict=${verdict}`,
  ];
}

/** One document. Keys are as everywhere: as text, or in hex where they are none. */
export function jsonManifests(inspections: readonly ManifestInspection[], summary: boolean): string {
  const manifests = inspections.map(({ rows, state, ...rest }) => ({
    ...rest,
    rows: summary
      ? []
      : rows.map((row) => ({
          ...row,
          added: row.added.map(({ level, table }) => ({ level, table: shown(table) })),
        })),
    state: { ...state, levels: state.levels.map((tables) => tables.map(shown)) },
  }));
  return toJson({ manifests });
}

function rowLines(row: ManifestInspectionRow): string[] {
  const { offset, number, type, nextTableId, covered, logIdentity, removed, added } = row;
  return [
    `offset=${offset} number=${number} type=${type} ${placeText({ nextTableId, covered, logIdentity })} ` +
      `removed=${removed.length} added=${added.length} checksum=ok`,
    ...removed.map(({ level, id }) => `  - level=${level} id=${id}`),
    ...added.map(({ level, table }) => `  + ${tableText(level, table)}`),
  ];
}

function tableText(level: number, table: TableMeta): string {
  const { id, fileBytes, entries, tombstones, rangeTombstones, smallestSequence, largestSequence } = table;
  const end = table.end === undefined ? "" : ` before=${displayBytes(table.end)}`;
  return (
    `level=${level} id=${id} bytes=${fileBytes} entries=${entries} tombstones=${tombstones} range_tombstones=${rangeTombstones} ` +
    `seq=${smallestSequence}..${largestSequence} from=${displayBytes(table.start)}${end}`
  );
}

function placeText({ nextTableId, covered, logIdentity }: Omit<ManifestState, "levels">): string {
  const identity = logIdentity === "" ? "" : ` log=${escapeText(logIdentity)}`;
  return `next_id=${nextTableId} covered_lsn=${covered.lsn} covered_seq=${covered.sequence}${identity}`;
}

function stateText(state: ManifestState): string {
  const levels = state.levels.flatMap((tables, level) =>
    tables.length > 0 ? [`${level}:${tables.length}`] : [],
  );
  const tables = state.levels.reduce((sum, each) => sum + each.length, 0);
  return `tables=${tables} levels=${levels.join(",") || "none"} ${placeText(state)}`;
}

function damageText({ damage, bytes, recordBehind }: ManifestInspection): string {
  if (damage === undefined) return "";
  const behind = recordBehind === undefined ? "" : `, and a whole record follows at offset ${recordBehind}`;
  return `CORRUPTION offset=${damage.offset} kind=${damage.kind} bytes=${bytes - damage.offset} ${damage.message}${behind}`;
}

function shown({ start, end, ...numbers }: TableMeta): object {
  return {
    ...numbers,
    start: jsonField("key", start),
    end: end === undefined ? null : jsonField("key", end),
  };
}
