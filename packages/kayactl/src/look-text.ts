import type { DirectoryLook } from "./directory-watch.js";
import { formatBytes, formatCount } from "./units.js";

/** A look in names and values for people. */
export function lookRows(look: DirectoryLook): [name: string, value: string][] {
  const { lastLsn, wal, perSecond } = look;
  const rows: [string, string][] = [
    ["state", formatState(look)],
    ["last LSN", formatCount(lastLsn)],
    ["log segments", formatCount(wal.segments)],
    ["log bytes", formatBytes(wal.bytes)],
    ["checkpoint", formatCheckpoint(look.checkpoint)],
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
  checkpoint,
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
    ["checkpoint_lsn", checkpoint.lsn],
    ["checkpoint_bytes", checkpoint.bytes],
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

function formatCheckpoint({ lsn, bytes, unfinished }: DirectoryLook["checkpoint"]): string {
  const newest =
    lsn === undefined || bytes === undefined ? "none" : `LSN ${formatCount(lsn)}, ${formatBytes(bytes)}`;
  return unfinished ? `${newest}; another one is not finished` : newest;
}
