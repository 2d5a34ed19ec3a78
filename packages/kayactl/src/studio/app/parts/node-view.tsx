import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { plural } from "../../../units.js";
import {
  type Branch,
  branchesOf,
  linesOf,
  type NodeLine,
  openedAtFirst,
  type ValueNode,
} from "../model/value-node.js";
import { SafeText } from "./safe-text.js";
import { LINE_HEIGHT } from "./value-body.js";
import { type RowContent, VirtualRows } from "./virtual-rows.js";

/** A longer string is cut in its line: the text view has all of it. */
const MOST_CHARACTERS = 2000;

/** JSON, and what is drawn as JSON is: a tree whose branches fold. */
export function NodeView({ root, label }: { root: ValueNode; label: string }): JSX.Element {
  const [open, setOpen] = useState<ReadonlySet<Branch>>(() => openedAtFirst(root));
  const [active, setActive] = useState(0);
  const lines = useMemo(() => linesOf(root, open), [root, open]);
  const toggle = (branch: Branch, isOpen: boolean) => {
    const next = new Set(open);
    if (isOpen) next.add(branch);
    else next.delete(branch);
    setOpen(next);
  };
  const onKey = (event: KeyboardEvent, index: number): boolean => {
    const line = lines[index];
    if (line === undefined) return false;
    const { branch } = line;
    const canOpen = branch !== undefined && branch.entries.length > 0;
    if (canOpen && (event.key === "Enter" || event.key === " ")) toggle(branch, !line.isOpen);
    else if (event.key === "ArrowRight" && canOpen && !line.isOpen) toggle(branch, true);
    else if (event.key === "ArrowLeft" && canOpen && line.isOpen) toggle(branch, false);
    else if (event.key === "ArrowLeft") setActive(parentOf(lines, index));
    else return false;
    return true;
  };
  return (
    <>
      <div class="fold-tools">
        <button type="button" onClick={() => setOpen(new Set(branchesOf(root)))}>
          Unfold all
        </button>
        <button type="button" onClick={() => setOpen(new Set(root.kind === "branch" ? [root] : []))}>
          Fold
        </button>
      </div>
      <div class="value-lines">
        <VirtualRows
          count={lines.length}
          rowHeight={LINE_HEIGHT}
          rowAt={(index) => rowOf(lines[index])}
          label={label}
          className="mono"
          role="tree"
          active={Math.min(active, lines.length - 1)}
          onActive={setActive}
          onKey={onKey}
          onRowClick={(index) => {
            setActive(index);
            const line = lines[index];
            if (line?.branch !== undefined && getSelection()?.isCollapsed !== false)
              toggle(line.branch, !line.isOpen);
          }}
        />
      </div>
    </>
  );
}

function parentOf(lines: readonly NodeLine[], index: number): number {
  const depth = lines[index]?.depth ?? 0;
  for (let at = index - 1; at >= 0; at--) if ((lines[at]?.depth ?? 0) < depth) return at;
  return 0;
}

let nextId = 0;
const ids = new WeakMap<NodeLine, string>();

function idOf(line: NodeLine): string {
  const id = ids.get(line) ?? `node-${nextId++}`;
  ids.set(line, id);
  return id;
}

function rowOf(line: NodeLine | undefined): RowContent {
  if (line === undefined) return { children: null };
  const { depth, name, leaf, branch, isOpen, closes, hasComma, position, siblings } = line;
  const canOpen = branch !== undefined && branch.entries.length > 0;
  const comma = hasComma ? <span class="sign">,</span> : null;
  return {
    id: idOf(line),
    className: canOpen ? "node-line can-open" : "node-line",
    attributes: {
      role: "treeitem",
      "aria-level": depth + 1,
      "aria-posinset": position,
      "aria-setsize": siblings,
      ...(canOpen && { "aria-expanded": isOpen === true }),
    },
    children: (
      <span class="node-indent" style={{ paddingLeft: `${depth * 1.25 + 1.25}rem` }}>
        {canOpen && <span class={isOpen ? "arrow is-open" : "arrow"} aria-hidden="true" />}
        {name !== undefined && closes === undefined && (
          <>
            <span class="node-name">
              <SafeText text={name} />
            </span>
            <span class="sign">: </span>
          </>
        )}
        {leaf !== undefined && <span class={`node-${leaf.type}`}>{<SafeText text={cut(leaf.text)} />}</span>}
        {branch !== undefined && <BranchText branch={branch} isOpen={isOpen === true} />}
        {closes !== undefined && <span class="sign">{closes.brackets[1]}</span>}
        {(branch === undefined || !isOpen) && comma}
      </span>
    ),
  };
}

function BranchText({
  branch: { brackets, entries },
  isOpen,
}: {
  branch: Branch;
  isOpen: boolean;
}): JSX.Element {
  if (isOpen) return <span class="sign">{brackets[0]}</span>;
  if (entries.length === 0) return <span class="sign">{brackets}</span>;
  const count = brackets === "{}" ? plural(entries.length, "member") : plural(entries.length, "element");
  return (
    <>
      <span class="sign">
        {brackets[0]}…{brackets[1]}
      </span>{" "}
      <span class="quiet node-count">{count}</span>
    </>
  );
}

function cut(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
