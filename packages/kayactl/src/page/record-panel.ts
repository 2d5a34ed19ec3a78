import { formatBytes, formatCount } from "../units.js";
import { readOperations } from "./batch-operations.js";
import { describePlace } from "./describe-place.js";
import { byId, el } from "./dom.js";
import { hexTable } from "./hex-table.js";
import { keyText } from "./key-text.js";
import { bytesFrom, endOfPlace, type Place, rangeAt, recordsOf } from "./log-model.js";
import type { PageRow } from "./page-data.js";

const MOST_BYTES = 4096;
const KEY_AT = { PUT: 48, DELETE: 44, NOOP: 0, BATCH: 0, DELETE_RANGE: 48, PUT_EXPIRING: 56 } as const;
/** Where a header ends, and the payload begins. */
const PAYLOAD_AT = 40;
const MOST_OPERATIONS = 50;

/** The fields of what is selected, and its bytes as far as the page has them. */
export function showRecord(place: Place, path: string): void {
  const { segment, item, offset } = place;
  const row = segment.rows.rowAt(item);
  const end = endOfPlace(place);
  const bytes = bytesFrom(segment, offset, Math.min(end - offset, MOST_BYTES));
  const [title = "", ...rest] = describePlace(place);
  const firstLsn = segment.rows.lsns[item] ?? 0;
  const range = item < 0 ? rangeAt(segment, offset) : undefined;
  const parts = [
    el(
      "h3",
      { class: range === undefined ? undefined : `is-${range.kind}` },
      row === undefined ? title : row.type,
    ),
    row === undefined ? el("p", {}, rest.join(" · ")) : fields(place, row, bytes),
    row?.operations === undefined ? undefined : operationsTable(place, row.operations, path),
    item >= 0 && row === undefined
      ? el(
          "p",
          { class: "quiet" },
          "There are too many records for the page to have each: these stand together. ",
          ...shownBy(path, `--lsn ${firstLsn}..${firstLsn + recordsOf(segment.rows, item) - 1}`),
        )
      : hexView(bytes, offset, end - offset, row, path),
  ];
  byId("record").replaceChildren(...parts.filter((part) => part !== undefined));
}

/** The operations of a batch, as far as the page has its bytes. */
function operationsTable(place: Place, count: number, path: string): HTMLElement | undefined {
  const { segment, offset, item } = place;
  const record = bytesFrom(segment, offset, endOfPlace(place) - offset);
  const shown = readOperations(record.subarray(PAYLOAD_AT), MOST_OPERATIONS);
  if (shown.length === 0) return undefined;
  const rows = shown.map(({ kind, key, end, valueLength, expiresAt }) => {
    const range = kind === "DELETE_RANGE" ? ` up to ${end === undefined ? "the end" : keyText(end)}` : "";
    const expiry = expiresAt === undefined ? "" : `, expires ${timeText(expiresAt)}`;
    return el(
      "tr",
      {},
      el("td", {}, el("span", { class: `swatch swatch-${kind}` }), kind),
      el("td", { class: "operation-key" }, `${keyText(key)}${range}`),
      el("td", {}, valueLength === undefined ? "" : `${formatCount(valueLength)} B${expiry}`),
    );
  });
  const head = ["operation", "key", "value"].map((name) => el("th", { scope: "col" }, name));
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows));
  const more = count - shown.length;
  const lsn = segment.rows.lsns[item] ?? 0;
  return el(
    "div",
    { class: "operations", tabindex: "0", role: "region", "aria-label": "Operations of the batch" },
    table,
    more > 0
      ? el("p", { class: "quiet" }, `${formatCount(more)} more: `, ...shownBy(path, `--lsn ${lsn}`))
      : undefined,
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
  return keyText(bytes.subarray(at, at + length));
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
      ...(row === undefined ? [] : shownBy(path, `--lsn ${row.lsn} --hex`)),
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

function shownBy(path: string, options: string): (Node | string)[] {
  // A line may break between words, and inside a path; never inside an option and what it is given.
  const words = [
    el("span", { class: "word" }, "kayactl inspect wal"),
    el("span", { class: "path" }, shellWord(path)),
    ...options.split(/ (?=--)/).map((option) => el("span", { class: "word" }, option)),
  ];
  return [el("code", {}, ...words.flatMap((word, at) => (at === 0 ? [word] : [" ", word]))), " shows them."];
}

function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
