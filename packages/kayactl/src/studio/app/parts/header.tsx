import type { JSX } from "preact";
import { formatCount } from "../../../units.js";
import { hashWith, PAGES, type PageName, route } from "../lib/route.js";
import { THEMES, type Theme, theme } from "../lib/theme.js";
import { connection, followProblem, isPaused, looks, reconnectNow } from "../model/live.js";
import { storeInfo } from "../model/store.js";
import { SafeText } from "./safe-text.js";

const NAMES: Readonly<Record<PageName, string>> = { keys: "Keys", changes: "Changes", store: "Store" };
const THEME_NAMES: Readonly<Record<Theme, string>> = {
  system: "Auto",
  light: "Light",
  dark: "Dark",
};

export function Header({ onHelp }: { onHelp: () => void }): JSX.Element {
  const info = storeInfo.value;
  return (
    <header class="header">
      <div class="header-line">
        <h1>
          Kaya <span class="quiet">studio</span>
        </h1>
        <p class="data-dir mono" title={info?.dataDir}>
          {info !== undefined && <SafeText text={info.dataDir} />}
        </p>
        {info !== undefined && <Mode />}
      </div>
      <nav aria-label="Pages">
        {PAGES.map((page) => (
          <a
            key={page}
            href={hrefOf(page)}
            {...(route.value.page === page && { "aria-current": "page" as const })}
          >
            {NAMES[page]}
          </a>
        ))}
        <span class="tools-end">
          <Activity />
          <label class="unseen" for="theme">
            Colours
          </label>
          <select
            id="theme"
            value={theme.value}
            onChange={({ currentTarget }) => {
              theme.value = THEMES.find((each) => each === currentTarget.value) ?? "system";
            }}
          >
            {THEMES.map((each) => (
              <option key={each} value={each}>
                {THEME_NAMES[each]}
              </option>
            ))}
          </select>
          <button type="button" class="help" aria-label="Keyboard" title="Keyboard (?)" onClick={onHelp}>
            ?
          </button>
        </span>
      </nav>
    </header>
  );
}

/** A prefix that is looked at stays from one page to the other. */
function hrefOf(page: PageName): string {
  const { params, page: here } = route.value;
  if (here === page) return hashWith({});
  const prefix = params.get("prefix");
  return prefix === undefined || page === "store" ? `#/${page}` : `#/${page}?prefix=${prefix}`;
}

function Mode(): JSX.Element | null {
  const info = storeInfo.value;
  if (info === undefined) return null;
  if (info.mode === "writer") {
    return (
      <p class="mode is-writer" title="Started with --write: keys can be written and deleted">
        Writes allowed
      </p>
    );
  }
  return (
    <p class="mode" title="The studio reads beside the writer and changes nothing">
      Read-only{info.writerPid === undefined ? "" : ` beside process ${info.writerPid}`}
    </p>
  );
}

function Activity(): JSX.Element {
  const rate = looks.value.at(-1)?.log.recordsPerSecond;
  const isLive = connection.value === "open";
  return (
    <span class={isLive ? "activity is-live" : "activity"} title="Records that the writer appends">
      <span class="pulse" aria-hidden="true" />
      {connection.value === "stopped" ? "stopped" : !isLive ? "offline" : isPaused.value ? "paused" : "live"}
      {isLive && rate !== undefined && <span class="rate">{formatCount(Math.round(rate))}/s</span>}
    </span>
  );
}

/** Says at the top that the connection is lost or of no use. */
export function ConnectionNote(): JSX.Element | null {
  if (connection.value === "refused") {
    return (
      <div class="banner is-bad" role="alert">
        <p>
          <strong>kayactl studio does not know this page.</strong> It was started again. Open the address that
          it printed.
        </p>
      </div>
    );
  }
  const problem = followProblem.value;
  if (connection.value === "stopped" && problem !== undefined) {
    return (
      <div class="banner is-bad" role="alert">
        <p>
          <strong>The studio cannot follow the store: {problem.message}</strong>{" "}
          <code class="code">{problem.code}</code> The page does not show changes. It tries again by itself.
        </p>
        <button type="button" onClick={reconnectNow}>
          Try now
        </button>
      </div>
    );
  }
  if (connection.value !== "lost") return null;
  return (
    <div class="banner" role="alert">
      <p>
        <strong>The connection to kayactl studio is lost.</strong> What you see is as it was. The page tries
        again by itself.
      </p>
      <button type="button" onClick={reconnectNow}>
        Try now
      </button>
    </div>
  );
}
