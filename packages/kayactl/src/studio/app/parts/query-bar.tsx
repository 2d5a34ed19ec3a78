import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { exportUrl } from "../lib/client.js";
import { bytesOf, go, route } from "../lib/route.js";
import { BOUNDS, DELIMITERS, hasRange, type KeyQuery, rowParams } from "../model/key-query.js";
import { canWrite } from "../model/store.js";
import { BytesField } from "./bytes-field.js";
import { Choice } from "./choice.js";

interface Props {
  readonly query: KeyQuery;
  readonly onNew: () => void;
  /** Takes the focus to the keys. */
  readonly onDone: () => void;
}

/** Which keys are shown, and how. */
export function QueryBar({ query, onNew, onDone }: Props): JSX.Element {
  const isRange = hasRange(query);
  const [isOpen, setOpen] = useState(isRange);
  return (
    <div class="query-bar">
      <div class="query-line">
        <BytesField
          id="prefix"
          label="Prefix"
          value={query.prefix}
          placeholder="all keys"
          onChange={(prefix) => go({ prefix }, false)}
          onEscape={onDone}
          onEnter={onDone}
        />
        <Choice
          label="Show the keys as"
          name="layout"
          value={query.layout}
          options={[
            { value: "tree", text: "Tree" },
            { value: "list", text: "List" },
          ]}
          onChange={(layout) =>
            go({ layout: layout === "tree" ? undefined : layout, ...(layout === "tree" && NO_RANGE) })
          }
        />
        {query.layout === "tree" && <DelimiterField query={query} />}
        <button type="button" aria-expanded={isOpen} aria-controls="range" onClick={() => setOpen(!isOpen)}>
          Range{isRange ? " ●" : ""}
        </button>
        <span class="tools-end">
          <a class="button" href={exportUrl(rowParams(query))} download title="What is shown, as JSON lines">
            Export
          </a>
          {canWrite() && (
            <button type="button" class="is-main" onClick={onNew}>
              New key
            </button>
          )}
        </span>
      </div>
      {isOpen && <RangeFields query={query} />}
    </div>
  );
}

const NO_RANGE = { gt: undefined, gte: undefined, lt: undefined, lte: undefined, reverse: undefined };

/** A range has an order of its own: its keys are a list. */
function RangeFields({ query }: { query: KeyQuery }): JSX.Element {
  const bound = (name: (typeof BOUNDS)[number]["name"], label: string) => (
    <BytesField
      key={name}
      id={`bound-${name}`}
      label={label}
      value={bytesOf(route.value, name)}
      onChange={(bytes) => go({ [name]: bytes, layout: "list" }, false)}
    />
  );
  return (
    <fieldset id="range" class="range">
      <legend class="unseen">Range of keys</legend>
      {BOUNDS.map(({ name, label }) => bound(name, label))}
      <label class="check">
        <input
          type="checkbox"
          checked={query.isReverse}
          onChange={({ currentTarget }) =>
            go({ reverse: currentTarget.checked ? "1" : undefined, layout: "list" }, false)
          }
        />
        Last key first
      </label>
      <button type="button" class="quiet-button" disabled={!hasRange(query)} onClick={() => go(NO_RANGE)}>
        Clear the range
      </button>
    </fieldset>
  );
}

function DelimiterField({ query: { delimiter } }: { query: KeyQuery }): JSX.Element {
  const [isOther, setOther] = useState(!DELIMITERS.includes(delimiter));
  const set = (next: string) => go({ delimiter: next === DELIMITERS[0] ? undefined : next }, false);
  return (
    <div class="delimiter">
      <label for="delimiter">Split at</label>
      <select
        id="delimiter"
        value={isOther ? "other" : delimiter}
        onChange={({ currentTarget }) => {
          setOther(currentTarget.value === "other");
          if (currentTarget.value !== "other") set(currentTarget.value);
        }}
      >
        {DELIMITERS.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
        <option value="other">other</option>
      </select>
      {isOther && (
        <input
          aria-label="Character to split keys at"
          class="one-character mono"
          maxLength={1}
          value={DELIMITERS.includes(delimiter) ? "" : delimiter}
          onInput={({ currentTarget }) => {
            // One byte: the tree is found by seeks to it.
            if (/^[\x21-\x7e]$/.test(currentTarget.value)) set(currentTarget.value);
          }}
        />
      )}
    </div>
  );
}
