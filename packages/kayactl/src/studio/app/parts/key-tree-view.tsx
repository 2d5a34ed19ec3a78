import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { plural } from "../../../units.js";
import type { Base64Url } from "../../api.js";
import { encodeText, fromBase64Url, startsWith, toBase64Url } from "../lib/bytes.js";
import { keyLabel, showBehind } from "../lib/key-text.js";
import type { KeyQuery } from "../model/key-query.js";
import { KeyTree, type TreeRow } from "../model/key-tree.js";
import { marks } from "../model/live.js";
import { type KeysProps, useLiveKeys } from "./live-keys.js";
import { NothingHere, Stale } from "./nothing-here.js";
import { adviceFor, ErrorNote, messageOf } from "./notice.js";
import { KeyText } from "./safe-text.js";
import { type RowContent, VirtualRows } from "./virtual-rows.js";

const ROW_HEIGHT = 30;

/** Keys grouped by what they begin with. */
export function KeyTreeView({ query, selected, onSelect, refreshes, onRefresh }: KeysProps): JSX.Element {
  const root = toBase64Url(query.prefix);
  const delimiter = toBase64Url(encodeText(query.delimiter));
  const before = useRef<KeyTree>(undefined);
  const tree = useMemo(
    () => new KeyTree(root, delimiter, before.current?.open),
    [root, delimiter, refreshes],
  );
  before.current = tree;
  const [active, setActive] = useLiveKeys(tree);
  useEffect(() => {
    if (selected === undefined || !startsWith(fromBase64Url(selected), query.prefix)) return;
    void tree.reveal(selected).then(() => {
      const at = tree.rows.findIndex(({ what }) => what.kind === "key" && what.key === selected);
      if (at >= 0) setActive(at);
    });
  }, [tree]);
  const version = tree.version.value;
  const { rows } = tree;
  const [range, setRange] = useState<readonly [number, number]>([0, 0]);
  useEffect(() => {
    for (const { what, parent } of rows.slice(...range)) if (what.kind === "more") void tree.loadMore(parent);
  }, [tree, range, version]);

  const [first] = rows;
  if (tree.isEmpty) return <NothingHere query={query} />;
  if (rows.length === 1 && first?.what.kind === "error") {
    return <ErrorNote error={first.what.error} onRetry={() => void tree.loadMore(root)} />;
  }
  const open = (row: TreeRow) => {
    if (row.what.kind === "key") onSelect(row.what.key);
    else if (row.what.kind === "group") tree.setOpen(row.what.prefix, !row.what.isOpen);
    else if (row.what.kind === "error") void tree.loadMore(row.parent);
  };
  const onKey = (event: KeyboardEvent, index: number): boolean => {
    const row = rows[index];
    if (row === undefined) return false;
    const { what } = row;
    if (event.key === "Enter" || event.key === " ") open(row);
    else if (event.key === "ArrowRight" && what.kind === "group" && !what.isOpen)
      tree.setOpen(what.prefix, true);
    else if (event.key === "ArrowRight" && what.kind === "group") setActive(index + 1);
    else if (event.key === "ArrowLeft" && what.kind === "group" && what.isOpen)
      tree.setOpen(what.prefix, false);
    else if (event.key === "ArrowLeft" && row.depth > 0) setActive(parentOf(rows, index));
    else return false;
    return true;
  };
  const marked = marks.value;
  const markedKeys = [...marked.keys()].map(fromBase64Url);
  const rowAt = (index: number): RowContent => {
    const row = rows[index];
    return row === undefined ? { children: null } : rowContent(row, query, selected, markOf(row, markedKeys));
  };
  const markOf = ({ what }: TreeRow, keys: readonly Uint8Array[]): string => {
    if (what.kind === "key") {
      const change = marked.get(what.key);
      const gone = tree.gone.has(what.key) ? "is-gone" : "";
      return change === undefined ? gone : `is-${change.kind} ${gone}`;
    }
    if (what.kind !== "group" || keys.length === 0) return "";
    const prefix = fromBase64Url(what.prefix);
    return keys.some((key) => startsWith(key, prefix)) ? "is-put" : "";
  };
  return (
    <>
      <p class="list-note">
        <span role="status">{tree.isLoaded ? summaryOf(tree) : ""}</span>
        <Stale missed={tree.missed.value} isOld={tree.isOld.value} onRefresh={onRefresh} />
      </p>
      <VirtualRows
        key={refreshes}
        count={rows.length}
        rowHeight={ROW_HEIGHT}
        rowAt={rowAt}
        label="Keys as a tree"
        role="tree"
        active={Math.min(active, rows.length - 1)}
        reveal={{ index: active, stamp: active }}
        onActive={setActive}
        onKey={onKey}
        onRowClick={(index) => {
          setActive(index);
          const row = rows[index];
          if (row !== undefined) open(row);
        }}
        onRange={(from, to) => setRange((old) => (old[0] === from && old[1] === to ? old : [from, to]))}
      />
    </>
  );
}

function summaryOf({ groups, keys, isWhole }: KeyTree): string {
  const parts = [groups > 0 ? plural(groups, "group") : "", keys > 0 ? plural(keys, "key") : ""].filter(
    (part) => part !== "",
  );
  return `${parts.join(", ")}${isWhole ? "" : " so far"}`;
}

function parentOf(rows: readonly TreeRow[], index: number): number {
  const depth = rows[index]?.depth ?? 0;
  for (let at = index - 1; at >= 0; at--) if ((rows[at]?.depth ?? 0) < depth) return at;
  return 0;
}

function rowContent(
  row: TreeRow,
  query: KeyQuery,
  selected: Base64Url | undefined,
  mark: string,
): RowContent {
  const { what, depth, position, siblings, parent, id } = row;
  const isSelected = what.kind === "key" && what.key === selected;
  const inTree = {
    role: "treeitem" as const,
    "aria-level": depth + 1,
    "aria-posinset": position,
    "aria-setsize": siblings,
    ...(what.kind === "group" && {
      "aria-expanded": what.isOpen,
      "aria-label": `${keyLabel(what.prefix)}, group`,
    }),
    ...(what.kind === "key" && { "aria-selected": isSelected, "aria-label": keyLabel(what.key) }),
  };
  return {
    id,
    className: `tree-row ${isSelected ? "is-selected" : ""} ${mark}`,
    attributes: inTree,
    children: (
      <span class="tree-indent" style={{ paddingLeft: `${depth * 1.15 + 0.35}rem` }}>
        {what.kind === "group" && <span class={what.isOpen ? "arrow is-open" : "arrow"} aria-hidden="true" />}
        {what.kind === "key" && <span class="dot" aria-hidden="true" />}
        <span class="key-name mono">
          <RowText row={row} parent={depth === 0 ? query.prefix : fromBase64Url(parent)} />
        </span>
      </span>
    ),
  };
}

function RowText({ row: { what }, parent }: { row: TreeRow; parent: Uint8Array }): JSX.Element {
  if (what.kind === "more") return <span class="quiet">Reading…</span>;
  if (what.kind === "empty") return <span class="quiet">No keys left</span>;
  if (what.kind === "error") {
    return (
      <span class="row-error">
        {messageOf(what.error)} {adviceFor(what.error)} Enter tries again.
      </span>
    );
  }
  const bytes = fromBase64Url(what.kind === "group" ? what.prefix : what.key);
  return <KeyText shown={showBehind(bytes, parent)} />;
}
