import type { JSX } from "preact";
import { formatBytes } from "../../../units.js";
import { showBytes } from "../lib/key-text.js";
import { localTime } from "../lib/time.js";
import { formatsOf } from "../model/value-format.js";
import { branchesOf, linesOf as linesOfNodes, type ValueNode } from "../model/value-node.js";

/** A value as one of two that are compared. Undefined: there is none. */
export interface Version {
  readonly bytes: Uint8Array | undefined;
  readonly length: number;
  readonly expiresAt?: number;
}

const MOST_LINES = 200;
const MOST_CHARACTERS = 20_000;

/** Two versions of a value side by side; lines that the other does not have are marked. */
export function Versions({
  theirs,
  mine,
  mineTitle,
}: {
  theirs: Version;
  mine: Version;
  mineTitle: string;
}): JSX.Element {
  const [theirLines, myLines] = [linesOf(theirs), linesOf(mine)];
  return (
    <div class="versions">
      <VersionView title="In the store now" version={theirs} lines={theirLines} others={new Set(myLines)} />
      <VersionView title={mineTitle} version={mine} lines={myLines} others={new Set(theirLines)} />
    </div>
  );
}

interface ViewProps {
  readonly title: string;
  readonly version: Version;
  readonly lines: readonly string[];
  readonly others: ReadonlySet<string>;
}

function VersionView({ title, version, lines, others }: ViewProps): JSX.Element {
  const { bytes, length, expiresAt } = version;
  return (
    <section class="version" aria-label={title}>
      <h3>{title}</h3>
      <p class="quiet">
        {bytes === undefined ? "deleted" : formatBytes(length)}
        {expiresAt !== undefined && `, expires ${localTime(expiresAt)}`}
      </p>
      {bytes === undefined ? (
        <p class="version-none">The key has no value.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
        <section class="version-lines mono" tabIndex={0} aria-label={`${title}: the value`}>
          {lines.slice(0, MOST_LINES).map((line) => (
            <div class={others.has(line) ? "" : "differs"}>
              {others.has(line) ? "" : <span class="unseen">differs: </span>}
              {line === "" ? " " : line}
            </div>
          ))}
          {lines.length > MOST_LINES && <div class="quiet">…</div>}
        </section>
      )}
    </section>
  );
}

function linesOf({ bytes }: Version): string[] {
  if (bytes === undefined) return [];
  const cut = bytes.subarray(0, MOST_CHARACTERS);
  const { json, text } = formatsOf(bytes);
  if (json !== undefined) return jsonText(json);
  if (text !== undefined) return text.slice(0, MOST_CHARACTERS).split("\n").map(safe);
  return showBytes(cut).text.match(/.{1,48}/gs) ?? [];
}

/** With its numbers as they stand: `JSON.parse` would round them. */
function jsonText(root: ValueNode): string[] {
  return linesOfNodes(root, new Set(branchesOf(root))).map((line) => {
    const { depth, name, leaf, branch, isOpen, closes, hasComma } = line;
    const value =
      leaf?.text ??
      (closes !== undefined ? closes.brackets[1] : isOpen ? branch?.brackets[0] : branch?.brackets);
    const label = name === undefined || closes !== undefined ? "" : `${name}: `;
    return safe(`${"  ".repeat(depth)}${label}${value}${hasComma && !(branch && isOpen) ? "," : ""}`);
  });
}

function safe(line: string): string {
  return showBytes(new TextEncoder().encode(line)).text;
}
