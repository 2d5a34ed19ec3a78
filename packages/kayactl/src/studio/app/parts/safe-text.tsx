import type { JSX } from "preact";
import { escapeCharacter, UNSAFE_CHARACTER } from "../../../terminal/escape-text.js";
import type { ShownBytes } from "../lib/key-text.js";

const PARTS = new RegExp(`(${UNSAFE_CHARACTER})`, "gu");

/** Text from the store. Characters that a browser obeys or hides are shown as escapes. `keepTabs`: a tab is a tab. */
export function SafeText({ text, keepTabs = false }: { text: string; keepTabs?: boolean }): JSX.Element {
  const parts = text.split(PARTS);
  return (
    <bdi>
      {parts.map((part, at) =>
        at % 2 === 0 || (keepTabs && part === "\t") ? (
          part
        ) : (
          <span class="escape">{escapeCharacter(part)}</span>
        ),
      )}
    </bdi>
  );
}

/** A key, or a part of one. */
export function KeyText({ shown }: { shown: ShownBytes }): JSX.Element {
  if (shown.text === "") return <span class="quiet">(empty)</span>;
  if (!shown.isHex) return <bdi>{shown.text}</bdi>;
  return (
    <>
      <span class="tag">hex</span> {shown.text}
    </>
  );
}
