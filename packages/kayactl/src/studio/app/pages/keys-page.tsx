import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Base64Url } from "../../api.js";
import { fromBase64Url, toBase64Url } from "../lib/bytes.js";
import { bytesOf, go, route } from "../lib/route.js";
import { queryOf } from "../model/key-query.js";
import { follow } from "../model/live.js";
import { canWrite } from "../model/store.js";
import { EditDialog } from "../parts/edit-dialog.js";
import { KeyList } from "../parts/key-list.js";
import { KeyTreeView } from "../parts/key-tree-view.js";
import { Empty } from "../parts/notice.js";
import { QueryBar } from "../parts/query-bar.js";
import { isTyping } from "../parts/shortcuts.js";
import { titleOfKey, ValuePanel } from "../parts/value-panel.js";

/** The keys on one side, the value of one of them on the other. */
export function KeysPage(): JSX.Element {
  const place = route.value;
  const query = queryOf(place);
  const keyBytes = bytesOf(place, "key");
  const selected = keyBytes === undefined ? undefined : toBase64Url(keyBytes);
  const prefix = toBase64Url(query.prefix);
  const [refreshes, setRefreshes] = useState(0);
  const [isNew, setNew] = useState(false);
  // Before the keys are read, which waits for it.
  useMemo(() => follow(prefix), [prefix]);
  useEffect(() => {
    document.title = selected === undefined ? "Keys · Kaya studio" : `${titleOfKey(selected)} · Kaya studio`;
  }, [selected]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event)) return;
      if (event.key === "r") setRefreshes((count) => count + 1);
      else if (event.key === "n" && canWrite()) {
        event.preventDefault();
        setNew(true);
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);

  const refresh = () => setRefreshes((count) => count + 1);
  const focusKeys = () => document.querySelector<HTMLElement>(".keys-pane .rows")?.focus();
  const select = (key: Base64Url) => go({ key: fromBase64Url(key), view: undefined });
  const back = () => {
    go({ key: undefined, view: undefined });
    requestAnimationFrame(focusKeys);
  };
  const Keys = query.layout === "tree" ? KeyTreeView : KeyList;
  return (
    <>
      <QueryBar query={query} onNew={() => setNew(true)} onDone={focusKeys} />
      <div class={selected === undefined ? "panes" : "panes has-value"}>
        <section class="panel keys-pane" aria-label="Keys">
          <Keys
            query={query}
            selected={selected}
            onSelect={select}
            refreshes={refreshes}
            onRefresh={refresh}
          />
        </section>
        {selected === undefined ? (
          <section class="panel value-panel is-placeholder" aria-label="Value">
            <Empty title="No key is open">Choose one to see its value here.</Empty>
          </section>
        ) : (
          <ValuePanel key={selected} keyOf={selected} onBack={back} />
        )}
      </div>
      {isNew && (
        <EditDialog
          prefix={query.prefix}
          onClose={() => setNew(false)}
          onWritten={(key) => {
            refresh();
            select(key);
          }}
        />
      )}
    </>
  );
}
