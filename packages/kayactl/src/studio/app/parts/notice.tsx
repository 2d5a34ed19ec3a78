import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { NO_ANSWER, StudioError } from "../lib/client.js";
import { storeInfo } from "../model/store.js";

const toast = signal<{ text: string; stamp: number } | undefined>(undefined);
const TOAST_MS = 4000;

/** Shows a short message for some seconds. */
export function say(text: string): void {
  const stamp = Date.now();
  toast.value = { text, stamp };
  setTimeout(() => {
    if (toast.value?.stamp === stamp) toast.value = undefined;
  }, TOAST_MS);
}

export function Toast(): JSX.Element {
  return (
    <div role="status" class="toast-room">
      {toast.value !== undefined && <p class="toast">{toast.value.text}</p>}
    </div>
  );
}

/** Copies text, and says whether it could be. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    say("The browser did not allow copying");
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  [NO_ANSWER]: "Check that kayactl studio still runs. This page tries again by itself.",
  FORBIDDEN: "Open the address that kayactl studio printed last.",
  KAYA_READ_ONLY: "Start kayactl studio with --write to change the store.",
  KAYA_LOCKED: "Another process has the directory open. Close it, or look without --write.",
  KAYA_CONFLICT: "The key has changed. Show its value again before you write.",
  KAYA_DISK_FULL: "Free space on the disk, then try again.",
};

export function adviceFor(error: unknown): string | undefined {
  if (!(error instanceof StudioError)) return undefined;
  if (error.code === "KAYA_CORRUPTION" || error.code.startsWith("KAYA_LOG_")) {
    return `Run kayactl verify --data ${storeInfo.value?.dataDir ?? "DIR"} to see how far it reaches.`;
  }
  return ADVICE[error.code] ?? (error.status === 401 ? ADVICE.FORBIDDEN : undefined);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An error where it belongs, with what to do. */
export function ErrorNote({ error, onRetry }: { error: unknown; onRetry?: () => void }): JSX.Element {
  const advice = adviceFor(error);
  return (
    <div role="alert" class="error-note">
      <p>
        <strong>{messageOf(error)}</strong>
        {error instanceof StudioError && error.code !== NO_ANSWER && <code class="code">{error.code}</code>}
      </p>
      {advice !== undefined && <p>{advice}</p>}
      {onRetry !== undefined && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: JSX.Element | string }): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children !== undefined && <p>{children}</p>}
    </div>
  );
}
