import { KayaError, type LogPosition, type SequenceNumber } from "@kaya/core";
import { compareBytes } from "../bytes.js";
import { type Extent, isBefore } from "../version/extent.js";

/** Level 0, whose tables overlap, and six below it. */
export const LEVELS = 7;

/** What the manifest says of a table. Its keys and range tombstones lie in its extent. */
export interface TableMeta extends Extent {
  /** From 1. It names the file, and is never used again. */
  readonly id: number;
  /** Bytes of the table's file. */
  readonly fileBytes: number;
  /** CRC-32C that the file's footer stores of itself. */
  readonly footerCrc: number;
  /** How many entries the table has, tombstones included. */
  readonly entries: number;
  /** How many of them delete their key. */
  readonly tombstones: number;
  /** How many range tombstones the table has. */
  readonly rangeTombstones: number;
  /** Bytes of keys and values, before compression. */
  readonly rawBytes: number;
  /** The lowest sequence of its entries and range tombstones. */
  readonly smallestSequence: SequenceNumber;
  /** The highest sequence of its entries and range tombstones. */
  readonly largestSequence: SequenceNumber;
}

/** A table and its place. */
export interface PlacedTable {
  /** The level that the table is in. */
  readonly level: number;
  /** The table, as the manifest describes it. */
  readonly table: TableMeta;
}

/** The changes of one edit. Omitted parts stay as they are. */
export interface ManifestEdit {
  readonly removed?: readonly { readonly level: number; readonly id: number }[];
  readonly added?: readonly PlacedTable[];
  /** The log up to here is in the tables. It never goes back. */
  readonly covered?: LogPosition;
  /** The owner's text about the log. Up to 1,024 bytes in UTF-8. */
  readonly logIdentity?: string;
  /** Ids below this may be in use. It never goes back. */
  readonly nextTableId?: number;
}

/** Everything that a manifest says. */
export interface ManifestState {
  /** The owner's text about the log that the tables belong to. */
  readonly logIdentity: string;
  /** Ids below this one may be in use. */
  readonly nextTableId: number;
  /** The position of the log's last record that is in the tables. */
  readonly covered: LogPosition;
  /** The tables of each level: level 0 the newest first, the others in key order. */
  readonly levels: readonly (readonly TableMeta[])[];
}

export const EMPTY_STATE: ManifestState = {
  logIdentity: "",
  nextTableId: 1,
  covered: { lsn: 0, sequence: 0 },
  levels: Array.from({ length: LEVELS }, () => []),
};

export const MOST_IDENTITY_BYTES = 1024;

/**
 * The state behind an edit.
 * @throws KayaError KAYA_INVARIANT_VIOLATION where the edit does not fit the state
 */
export function applyEdit(state: ManifestState, edit: ManifestEdit): ManifestState {
  const {
    removed = [],
    added = [],
    covered = state.covered,
    logIdentity = state.logIdentity,
    nextTableId = state.nextTableId,
  } = edit;
  if (covered.lsn < state.covered.lsn || covered.sequence < state.covered.sequence)
    throw misfit("what the tables cover goes back");
  if (nextTableId < state.nextTableId) throw misfit("the next table id goes back");
  if (Buffer.byteLength(logIdentity) > MOST_IDENTITY_BYTES)
    throw misfit(`the log's identity is longer than ${MOST_IDENTITY_BYTES} bytes`);
  const levels = state.levels.map((tables) => new Map(tables.map((table) => [table.id, table])));
  for (const { level, id } of removed) {
    if (levels[level]?.delete(id) !== true) throw misfit(`table ${id} is not on level ${level}`);
  }
  const alive = new Set(levels.flatMap((tables) => [...tables.keys()]));
  for (const { level, table } of added) {
    checkTable(table, { nextTableId, covered });
    if (alive.has(table.id)) throw misfit(`table ${table.id} is there already`);
    const target = levels[level];
    if (target === undefined) throw misfit(`there is no level ${level}`);
    alive.add(table.id);
    target.set(table.id, table);
  }
  return { logIdentity, nextTableId, covered, levels: levels.map((tables, level) => sorted(tables, level)) };
}

/** All tables of a state, level by level. */
export function tablesOf({ levels }: ManifestState): TableMeta[] {
  return levels.flat();
}

/** Of the files of tables. */
export function fileBytesOf(tables: readonly Pick<TableMeta, "fileBytes">[]): number {
  return tables.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
}

function checkTable(
  table: TableMeta,
  { nextTableId, covered }: Pick<ManifestState, "nextTableId" | "covered">,
): void {
  const { id, start, end, smallestSequence, largestSequence, entries, tombstones } = table;
  if (id < 1 || id >= nextTableId) throw misfit(`table ${id} is not below the next table id ${nextTableId}`);
  if (!isBefore(start, end)) throw misfit(`table ${id} has no keys between its ends`);
  if (smallestSequence > largestSequence || tombstones > entries)
    throw misfit(`table ${id} contradicts itself`);
  if (largestSequence > covered.sequence)
    throw misfit(`table ${id} reaches sequence ${largestSequence}, and ${covered.sequence} is covered`);
}

function sorted(tables: ReadonlyMap<number, TableMeta>, level: number): TableMeta[] {
  const list = [...tables.values()];
  if (level === 0) return list.sort((a, b) => b.id - a.id);
  list.sort((a, b) => compareBytes(a.start, b.start));
  for (const [index, table] of list.entries()) {
    const next = list[index + 1];
    if (next !== undefined && (table.end === undefined || isBefore(next.start, table.end)))
      throw misfit(`tables ${table.id} and ${next.id} overlap on level ${level}`);
  }
  return list;
}

function misfit(what: string): KayaError {
  return new KayaError("KAYA_INVARIANT_VIOLATION", `an edit of the manifest does not fit: ${what}.`);
}
