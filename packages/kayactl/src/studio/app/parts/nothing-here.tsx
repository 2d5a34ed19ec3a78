import type { JSX } from "preact";
import { plural } from "../../../units.js";
import { keyLabel } from "../lib/key-text.js";
import { go } from "../lib/route.js";
import { hasRange, type KeyQuery } from "../model/key-query.js";
import { canWrite } from "../model/store.js";
import { Empty } from "./notice.js";

/** Stands in place of the keys where there are none. */
export function NothingHere({ query }: { query: KeyQuery }): JSX.Element {
  const isWhole = query.prefix.length === 0 && !hasRange(query);
  if (isWhole) {
    return (
      <Empty title="The store is empty">
        {canWrite()
          ? "Write the first key with New key above. Keys that a program writes appear when you refresh."
          : "Keys that a program writes show up on the page Changes as they come."}
      </Empty>
    );
  }
  return (
    <div class="empty">
      <p class="empty-title">No key {hasRange(query) ? "is in this range" : "begins with this prefix"}</p>
      {query.prefix.length > 0 && <p class="mono">{keyLabel(query.prefix)}</p>}
      <p>
        <button
          type="button"
          onClick={() =>
            go({
              prefix: undefined,
              gt: undefined,
              gte: undefined,
              lt: undefined,
              lte: undefined,
              reverse: undefined,
            })
          }
        >
          Show all keys
        </button>
      </p>
    </div>
  );
}

interface StaleProps {
  readonly missed: number;
  readonly isOld: boolean;
  readonly onRefresh: () => void;
}

/** Says that the store changed since the list was read. */
export function Stale({ missed, isOld, onRefresh }: StaleProps): JSX.Element {
  return (
    <span role="status" class="stale">
      {(missed > 0 || isOld) && (
        <button type="button" class="pill" onClick={onRefresh} title="Read the keys again (r)">
          {isOld ? "Changes may be missing" : `${plural(missed, "change")} not shown`}: refresh
        </button>
      )}
    </span>
  );
}
