import { formatBytes, formatCount } from "../units.js";
import { describePlace } from "./describe-place.js";
import { byId, el } from "./dom.js";
import { hexTable } from "./hex-table.js";
import { bytesFrom, endOfPlace, type Place, rangeAt, recordsOf } from "./log-model.js";
import type { PageRow } from "./page-data.js";

const MOST_BYTES = 4096;
const KEY_AT = { PUT: 48, DELETE: 44, NOOP: 0, BATCH: 0, DELETE_RANGE: 48, PUT_EXPIRING: 56 } as const;
const MOST_KEY_CHARACTERS = 200;

/** The fields of what is selected, and its bytes as far as the page has them. */
export function showRecord(place: Place, path: string): void {
  const { segment, item, offset } = place;
  const row = segment.rows.rowAt(item);
  const end = endOfPlace(place);
  const bytes = bytesFrom(segment, offset, Math.min(end - offset, MOST_BYTES));
  const [title = "", ...rest] = describePlace(place);
  const firstLsn = segment.rows.lsns[item] ?? 0;
  const range = item < 0 ? rangeAt(segment, offset) : undefined;
  byId("record").replaceChildren(
    el(
      "h3",
      { class: range === undefined ? undefined : `is-${range.kind}` },
      row === undefined ? title : row.type,
    ),
    row === undefined ? el("p", {}, rest.join(" · ")) : fields(place, row, bytes),
    item >= 0 && row === undefined
      ? el(
          "p",
          { class: "quiet" },
          "There are too many records for the page to have each: these stand together. ",
          ...shownBy(path, `${firstLsn}..${firstLsn + recordsOf(segment.rows, item) - 1}`),
        )
      : hexView(bytes, offset, end - offset, row, path),
  );
}

function fields({ segment }: Place, row: PageRow, bytes: Uint8Array): HTMLElement {
  const list = el("dl", { class: "fields" });
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined) list.append(el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  };
  const inBytes = (length: number | undefined) =>
    length === undefined ? undefined : `${formatCount(length)} B`;
  add("LSN", String(row.lsn));
  add("sequence", String(row.sequence));
  add("segment", segment.name);
  add("offset", String(row.offset));
  add("length", inBytes(row.encodedLength));
  add("operations", row.operations === undefined ? undefined : formatCount(row.operations));
  add("key", inBytes(row.keyLength));
  add("value", inBytes(row.valueLength));
  add("expires", row.expiresAt === undefined ? undefined : timeText(row.expiresAt));
  add("checksums", "ok");
  const at = KEY_AT[row.type];
  add("key as text", textAt(bytes, at, row.keyLength));
  if (row.startLength === undefined) return list;
  add("start", inBytes(row.startLength));
  add("end", inBytes(row.endLength) ?? "none: there is no upper bound");
  add("start as text", textAt(bytes, at, row.startLength));
  add("end as text", textAt(bytes, at + row.startLength, row.endLength));
  return list;
}

/** The latest time of a `Date`. */
const LATEST_DATE = 8.64e15;

function timeText(ms: number): string {
  return ms <= LATEST_DATE ? new Date(ms).toISOString() : `${ms} ms after 1970 begins`;
}

function textAt(bytes: Uint8Array, at: number, length: number | undefined): string | undefined {
  if (length === undefined || bytes.length < at + length) return undefined;
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(at, at + length));
  return text.length > MOST_KEY_CHARACTERS ? `${text.slice(0, MOST_KEY_CHARACTERS)}…` : text;
}

function hexView(
  bytes: Uint8Array,
  offset: number,
  length: number,
  row: PageRow | undefined,
  path: string,
): HTMLElement {
  if (bytes.length === 0) {
    return el(
      "p",
      { class: "quiet" },
      "The page does not have these bytes: it holds those around damage, and of each file the beginning and the end. ",
      ...(row === undefined ? [] : shownBy(path, `${row.lsn} --hex`)),
    );
  }
  const missing = length - bytes.length;
  return el(
    "div",
    {},
    hexTable(bytes, offset, row !== undefined),
    missing > 0 ? el("p", { class: "quiet" }, `${formatBytes(missing)} more are not shown.`) : undefined,
  );
}

function shownBy(path: string, lsns: string): (Node | string)[] {
  return [el("code", {}, `kayactl inspect wal ${shellWord(path)} --lsn ${lsns}`), " shows them."];
}

function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
