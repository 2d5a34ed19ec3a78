import { formatTables, type LevelSum } from "../inspect/tables-look.js";
import { formatBytes, formatCount, plural } from "../units.js";
import type { DirectoryLook } from "./directory-watch.js";

/** A look in names and values for people. */
export function lookRows(look: DirectoryLook): [name: string, value: string][] {
  const { lastLsn, wal, perSecond } = look;
  const rows: [string, string][] = [
    ["state", formatState(look)],
    ["last LSN", formatCount(lastLsn)],
    ["log segments", formatCount(wal.segments)],
    ["log bytes", formatBytes(wal.bytes)],
    ["tables", formatLook(look.tables)],
    ...levelRow(look.tables),
    ...consumerRows(look.changes),
  ];
  if (perSecond === undefined) return rows;
  const { records, walBytes } = perSecond;
  return [...rows, ["growth", `${formatCount(records)} records/s, ${formatBytes(walBytes)}/s`]];
}

/** Those for whom the log is kept are a row only where there are some. */
export function consumerRows({
  consumers,
  keptLogBytes,
}: DirectoryLook["changes"]): [name: string, value: string][] {
  if (consumers === 0) return [];
  return [["consumers", `${formatCount(consumers)}, keeping ${formatBytes(keptLogBytes)} of the log`]];
}

/** The same on one line, for a file or another program. */
export function lookLine({
  at,
  state,
  pid,
  lastLsn,
  wal,
  tables,
  changes,
  perSecond,
}: DirectoryLook): string {
  const fields: [string, string | number | undefined][] = [
    ["at", at],
    ["state", state],
    ["pid", pid],
    ["lsn", lastLsn],
    ["segments", wal.segments],
    ["log_bytes", wal.bytes],
    ["covered_lsn", tables.coveredLsn],
    ["tables", tables.tables],
    ["table_bytes", tables.bytes],
    ["levels", tables.tables === 0 ? undefined : levelsText(tables.levels)],
    ["consumers", changes.consumers === 0 ? undefined : changes.consumers],
    ["kept_log_bytes", changes.consumers === 0 ? undefined : changes.keptLogBytes],
    ["records_per_s", perSecond?.records],
    ["log_bytes_per_s", perSecond?.walBytes],
  ];
  return fields.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])).join(" ");
}

function formatState({ state, pid }: DirectoryLook): string {
  switch (state) {
    case "in-use":
      return `open in process ${pid}`;
    case "closed":
      return "closed";
    case "left":
      return `not closed: process ${pid} is gone, and the next opening recovers what it left`;
    case "unknown":
      return "unknown: the lock file is missing or says nothing";
  }
}

function formatLook(tables: DirectoryLook["tables"]): string {
  const { unnamedFiles } = tables;
  if (unnamedFiles === 0) return formatTables(tables);
  return `${formatTables(tables)}; ${plural(unnamedFiles, "file")} that no manifest names`;
}

function levelRow({ levels }: DirectoryLook["tables"]): [name: string, value: string][] {
  return levels.length === 0 ? [] : [["levels", levelsText(levels)]];
}

/** `0:2,1:1`: two tables on level 0, one on level 1. */
function levelsText(levels: readonly LevelSum[]): string {
  return levels.map(({ level, tables }) => `${level}:${tables}`).join(",");
}
