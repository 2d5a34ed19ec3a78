import type { JSX } from "preact";
import { Dialog } from "./dialog.js";

/** Whether a key that was pressed belongs to what is typed, to a dialog, or to the browser. */
export function isTyping(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return true;
  const target = event.target as Element | null;
  return target?.closest("input:not([type=radio], [type=checkbox]), textarea, select, dialog") != null;
}

const KEYS = [
  ["/", "Type a prefix"],
  ["↑ ↓ Page Home End", "Move in a list"],
  ["→ ←", "Open and close a group, or fold"],
  ["Enter", "Show the value of a key"],
  ["Escape", "Back to the keys"],
  ["n", "New key"],
  ["r", "Read the keys again"],
  ["p", "Pause the changes"],
  ["1 2 3", "Keys, Changes, Store"],
  ["?", "This list"],
] as const;

export function ShortcutsDialog({ onClose }: { onClose: () => void }): JSX.Element {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="shortcuts">
        {KEYS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <div class="dialog-buttons">
        <button type="button" onClick={onClose} autofocus>
          Close
        </button>
      </div>
    </Dialog>
  );
}
