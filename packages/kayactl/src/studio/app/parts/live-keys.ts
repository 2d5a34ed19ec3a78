import { type StateUpdater, useEffect, useState } from "preact/hooks";
import type { Base64Url, Change } from "../../api.js";
import type { KeyQuery } from "../model/key-query.js";
import { onChanges, reconnects } from "../model/live.js";

/** What a list and a tree of keys are given. */
export interface KeysProps {
  readonly query: KeyQuery;
  readonly selected: Base64Url | undefined;
  readonly onSelect: (key: Base64Url) => void;
  readonly refreshes: number;
  readonly onRefresh: () => void;
}

/** Keys that follow the store. */
interface LiveKeys {
  apply(changes: readonly Change[], skipped: number): void;
  reconnected(): void;
  close(): void;
}

/** Tells `keys` of changes and of a connection that came back, until others are shown. Returns which of them is active, the first one to begin with. */
export function useLiveKeys(
  keys: LiveKeys,
): [active: number, setActive: (update: StateUpdater<number>) => void] {
  const [active, setActive] = useState(0);
  useEffect(() => {
    setActive(0);
    const stop = onChanges((batch, skipped) => keys.apply(batch, skipped));
    return () => {
      stop();
      keys.close();
    };
  }, [keys]);
  const tries = reconnects.value;
  useEffect(() => {
    if (tries > 0) keys.reconnected();
  }, [tries]);
  return [active, setActive];
}
