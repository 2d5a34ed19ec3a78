import { type JSX, render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { PAGES, route } from "./lib/route.js";
import { applyTheme } from "./lib/theme.js";
import { connection, follow, reconnects } from "./model/live.js";
import { loadStore, storeError, storeInfo } from "./model/store.js";
import { ChangesPage } from "./pages/changes-page.js";
import { KeysPage } from "./pages/keys-page.js";
import { StorePage } from "./pages/store-page.js";
import { ConnectionNote, Header } from "./parts/header.js";
import { ErrorNote, Toast } from "./parts/notice.js";
import { isTyping, ShortcutsDialog } from "./parts/shortcuts.js";

const PAGE_OF = { keys: KeysPage, changes: ChangesPage, store: StorePage } as const;

function App(): JSX.Element {
  const [isHelp, setHelp] = useState(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event)) return;
      const page = PAGES[Number(event.key) - 1];
      if (event.key === "/") {
        event.preventDefault();
        const field = document.querySelector<HTMLInputElement>("#prefix");
        field?.focus();
        field?.select();
      } else if (event.key === "?") setHelp(true);
      else if (page !== undefined) location.hash = `#/${page}`;
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  const tries = reconnects.value;
  useEffect(() => void loadStore(), [tries]);
  const { page } = route.value;
  useEffect(() => {
    if (page === "store") follow("");
  }, [page]);
  const Page = PAGE_OF[page];
  const error = storeError.value;
  return (
    <>
      <Header onHelp={() => setHelp(true)} />
      <ConnectionNote />
      {/* The page of the store scrolls as a whole: by keyboard too. */}
      <main data-home tabIndex={page === "store" ? 0 : -1} class={`page-${page}`}>
        {storeInfo.value === undefined ? (
          error !== undefined && connection.value !== "refused" ? (
            <ErrorNote error={error} onRetry={() => void loadStore()} />
          ) : (
            <p class="quiet loading">Opening the store…</p>
          )
        ) : (
          <Page key={page} />
        )}
      </main>
      <Toast />
      {isHelp && <ShortcutsDialog onClose={() => setHelp(false)} />}
    </>
  );
}

applyTheme();
const root = document.getElementById("app");
if (root !== null) {
  root.replaceChildren();
  render(<App />, root);
}
