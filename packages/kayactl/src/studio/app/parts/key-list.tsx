import type { JSX } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { formatBytes, plural } from "../../../units.js";
import type { Row } from "../../api.js";
import { decodeCutText, fromBase64Url } from "../lib/bytes.js";
import { keyLabel, showBehind, showBytes } from "../lib/key-text.js";
import { now, roughDuration } from "../lib/time.js";
import { rowParams } from "../model/key-query.js";
import { marks } from "../model/live.js";
import { RowWindow } from "../model/row-window.js";
import { type KeysProps, useLiveKeys } from "./live-keys.js";
import { NothingHere, Stale } from "./nothing-here.js";
import { ErrorNote } from "./notice.js";
import { KeyText } from "./safe-text.js";
import { type RowContent, VirtualRows } from "./virtual-rows.js";

const ROW_HEIGHT = 30;
const PREVIEW_CHARACTERS = 160;
/** By these it is decided how wide the keys are. */
const FIRST_ROWS = 200;
const [LEAST_COLUMNS, MOST_COLUMNS] = [10, 36];

/** Keys in their order, with the beginning of each value. */
export function KeyList({ query, selected, onSelect, refreshes, onRefresh }: KeysProps): JSX.Element {
  const params = rowParams(query);
  const rows = useMemo(() => new RowWindow(params), [JSON.stringify(params), refreshes]);
  const [active, setActive] = useLiveKeys(rows);
  const version = rows.version.value;
  const [range, setRange] = useState<readonly [number, number]>([0, 0]);
  useEffect(() => void rows.want(...range), [rows, range, version]);
  const onRange = useCallback((from: number, to: number) => setRange([from, to]), []);

  const columns = useMemo(() => columnsFor(rows, query.prefix), [rows, rows.known > 0]);

  const error = rows.error.value;
  if (rows.known === 0 && error !== undefined)
    return <ErrorNote error={error} onRetry={() => rows.retry()} />;
  if (rows.isComplete && rows.known === 0) return <NothingHere query={query} />;
  const marked = marks.value;
  const rowAt = (index: number): RowContent => {
    const row = rows.rowAt(index);
    if (row === undefined)
      return { className: "is-coming", attributes: { role: "presentation" }, children: <span /> };
    const mark = marked.get(row.key);
    return {
      id: `row-${index}`,
      className: `key-row ${row.key === selected ? "is-selected" : ""} ${mark === undefined ? "" : `is-${mark.kind}`} ${rows.gone.has(row.key) ? "is-gone" : ""}`,
      attributes: {
        role: "option",
        "aria-selected": row.key === selected,
        "aria-posinset": index + 1,
        "aria-setsize": rows.isComplete ? rows.known : -1,
      },
      children: <RowCells row={row} prefix={query.prefix} columns={columns} />,
    };
  };
  const open = (index: number) => {
    const row = rows.rowAt(index);
    if (row !== undefined) onSelect(row.key);
  };
  return (
    <>
      <p class="list-note">
        <span role="status">
          {rows.isLoaded ? plural(rows.known, "key") : ""}
          {!rows.isLoaded || rows.isComplete ? "" : " so far; more are read as you scroll"}
        </span>
        <Stale missed={rows.missed.value} isOld={rows.isOld.value} onRefresh={onRefresh} />
      </p>
      {error !== undefined && <ErrorNote error={error} onRetry={() => rows.retry()} />}
      <VirtualRows
        key={refreshes}
        count={rows.count}
        rowHeight={ROW_HEIGHT}
        rowAt={rowAt}
        label="Keys"
        role="listbox"
        active={active}
        onActive={(index) => setActive(Math.min(index, Math.max(0, rows.known - 1)))}
        onKey={(event, index) => {
          if (event.key !== "Enter" && event.key !== " ") return false;
          open(index);
          return true;
        }}
        onRowClick={(index) => {
          setActive(index);
          open(index);
        }}
        onRange={onRange}
      />
    </>
  );
}

/** Characters that keys get: as the longest of the first ones, so that values stand under each other. */
function columnsFor(rows: RowWindow, prefix: Uint8Array): number {
  let longest = 0;
  for (let index = 0; index < Math.min(rows.known, FIRST_ROWS); index++) {
    const row = rows.rowAt(index);
    if (row !== undefined)
      longest = Math.max(longest, showBehind(fromBase64Url(row.key), prefix).text.length);
  }
  return Math.min(MOST_COLUMNS, Math.max(LEAST_COLUMNS, longest + 2));
}

function RowCells({ row, prefix, columns }: { row: Row; prefix: Uint8Array; columns: number }): JSX.Element {
  const bytes = fromBase64Url(row.key);
  const whole = showBytes(bytes);
  const shown = showBehind(bytes, prefix);
  const isCut = shown.text !== whole.text;
  const left = row.expiresAt === undefined ? undefined : row.expiresAt - now.value;
  return (
    <>
      <span class="key-name mono" style={{ flexBasis: `${columns}ch` }}>
        {isCut && (
          <>
            <span class="unseen">{keyLabel(prefix)}</span>
            <span class="quiet" aria-hidden="true">
              …
            </span>
          </>
        )}
        <KeyText shown={shown} />
      </span>
      <span class="key-preview mono">{preview(row)}</span>
      {left !== undefined && <span class="expires">{left > 0 ? roughDuration(left) : "expired"}</span>}
      <span class="key-size">{formatBytes(row.length)}</span>
    </>
  );
}

/** The beginning of a value on one line. */
export function preview({ head = "", length = 0 }: { head?: string; length?: number }): string {
  const bytes = fromBase64Url(head);
  const text = decodeCutText(bytes);
  const shown =
    text === undefined
      ? showBytes(bytes.subarray(0, 40)).text
      : showBytes(new TextEncoder().encode(text)).text;
  const isCut = shown.length > PREVIEW_CHARACTERS || bytes.length < length;
  return isCut ? `${shown.slice(0, PREVIEW_CHARACTERS)}…` : shown;
}
