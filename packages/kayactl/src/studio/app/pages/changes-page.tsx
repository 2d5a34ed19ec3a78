import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { formatBytes, formatCount, plural } from "../../../units.js";
import type { Change } from "../../api.js";
import { fromBase64Url, toBase64Url } from "../lib/bytes.js";
import { showKey } from "../lib/key-text.js";
import { bytesOf, go, hashWith, route } from "../lib/route.js";
import { clockTime } from "../lib/time.js";
import { changes, follow, heldBack, isPaused, MOST_CHANGES, setPaused, skipped } from "../model/live.js";
import { BytesField } from "../parts/bytes-field.js";
import { preview } from "../parts/key-list.js";
import { Empty } from "../parts/notice.js";
import { KeyText } from "../parts/safe-text.js";
import { isTyping } from "../parts/shortcuts.js";
import { type RowContent, VirtualRows } from "../parts/virtual-rows.js";

const ROW_HEIGHT = 30;
const KINDS = { put: "put", delete: "delete", deleteRange: "range" } as const;

/** The changes of the store, the newest first, as they come. */
export function ChangesPage(): JSX.Element {
  const prefixBytes = bytesOf(route.value, "prefix") ?? new Uint8Array();
  const prefix = toBase64Url(prefixBytes);
  useEffect(() => follow(prefix), [prefix]);
  useEffect(() => {
    document.title = "Changes · Kaya studio";
    const onKey = (event: KeyboardEvent) => {
      if (!isTyping(event) && event.key === "p") setPaused(!isPaused.value);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  const list = changes.value;
  const [active, setActive] = useState(0);
  const added = useAdded(list);
  const focusList = () => document.querySelector<HTMLElement>(".feed .rows")?.focus();
  const open = (change: Change | undefined) => {
    if (change !== undefined) location.hash = hashWith({ key: fromBase64Url(change.key) }, "keys");
  };
  return (
    <>
      <div class="query-bar">
        <div class="query-line">
          <BytesField
            id="prefix"
            label="Prefix"
            value={prefixBytes.length === 0 ? undefined : prefixBytes}
            placeholder="all keys"
            onChange={(next) => go({ prefix: next }, false)}
            onEscape={focusList}
            onEnter={focusList}
          />
          <button type="button" aria-pressed={isPaused.value} onClick={() => setPaused(!isPaused.value)}>
            {isPaused.value ? "Resume" : "Pause"}
          </button>
          <span class="tools-end quiet" role="status">
            {isPaused.value ? `Paused: ${plural(heldBack.value, "change")} since` : countText(list.length)}
          </span>
        </div>
      </div>
      {skipped.value > 0 && (
        <p class="note">
          {plural(skipped.value, "change")} {skipped.value === 1 ? "is" : "are"} not listed: changes come
          faster than this page takes them. The store has all of them.
        </p>
      )}
      <section class="panel feed" aria-label="Changes">
        {list.length === 0 ? (
          <Empty title={isPaused.value ? "Paused" : "Waiting for changes"}>
            {prefixBytes.length === 0
              ? "Each write shows up here as it reaches the log, the newest on top."
              : "Each write below this prefix shows up here as it reaches the log, the newest on top."}
          </Empty>
        ) : (
          <VirtualRows
            count={list.length}
            rowHeight={ROW_HEIGHT}
            rowAt={(index) => rowOf(list[index])}
            label="Changes, the newest first"
            role="listbox"
            prepended={added}
            active={Math.min(active, list.length - 1)}
            onActive={setActive}
            onKey={(event, index) => {
              if (event.key !== "Enter" && event.key !== " ") return false;
              open(list[index]);
              return true;
            }}
            onRowClick={(index) => {
              setActive(index);
              open(list[index]);
            }}
          />
        )}
      </section>
    </>
  );
}

function countText(count: number): string {
  if (count === 0) return "";
  return count < MOST_CHANGES ? plural(count, "change") : `the last ${formatCount(count)} changes`;
}

/** How many changes came on top so far. */
function useAdded(list: readonly Change[]): number {
  const seen = useRef<{ list: readonly Change[]; added: number }>({ list, added: 0 });
  if (seen.current.list !== list) {
    const before = seen.current.list[0];
    const at = before === undefined ? 0 : list.indexOf(before);
    seen.current = { list, added: seen.current.added + Math.max(0, at) };
  }
  return seen.current.added;
}

function rowOf(change: Change | undefined): RowContent {
  if (change === undefined) return { children: null };
  const { lsn, at, kind, key, end, length } = change;
  return {
    id: `change-${lsn}-${key}`,
    className: "change-row",
    attributes: { role: "option", "aria-selected": false },
    children: (
      <>
        <span class="change-time">{clockTime(at)}</span>
        <span class="change-lsn">{lsn}</span>
        <span class={`kind is-${kind}`}>{KINDS[kind]}</span>
        <span class="key-name mono">
          <KeyText shown={showKey(key)} />
          {kind === "deleteRange" && (
            <>
              <span class="quiet"> up to </span>
              {end === undefined ? <span class="quiet">the end</span> : <KeyText shown={showKey(end)} />}
            </>
          )}
        </span>
        <span class="key-preview mono">{kind === "put" ? preview(change) : ""}</span>
        <span class="key-size">{length === undefined ? "" : formatBytes(length)}</span>
      </>
    ),
  };
}
