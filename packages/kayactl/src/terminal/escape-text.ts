// No imports: the pages in a browser use it too.

/**
 * A character that a terminal or a browser obeys or hides instead of showing it, as the source of a regular expression with the flag `u`:
 * controls, line separators, format characters, and what is not drawn (tags, fillers, variation selectors), but for what emoji are joined of.
 */
export const UNSAFE_CHARACTER =
  "(?![\\u200d\\ufe0f])[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}]";

// A backslash counts only in a text that has an unsafe character, so that an escape is never taken for what it is not.
const UNSAFE = new RegExp(UNSAFE_CHARACTER, "u");
const ESCAPED = new RegExp(`${UNSAFE_CHARACTER}|\\\\`, "gu");
const ESCAPED_BUT_LINES = new RegExp(`(?![\\n\\t])(?:${UNSAFE_CHARACTER}|\\\\)`, "gu");

const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

/** Whether `escapeText` changes the text. */
export function hasUnsafeCharacter(text: string): boolean {
  return UNSAFE.test(text);
}

/** Text as a terminal may show it, on one line. */
export function escapeText(text: string): string {
  return UNSAFE.test(text) ? text.replace(ESCAPED, escapeCharacter) : text;
}

/** The same, with line breaks and tabs as they are. */
export function escapeLines(text: string): string {
  return UNSAFE.test(text.replace(/[\n\t]/g, "")) ? text.replace(ESCAPED_BUT_LINES, escapeCharacter) : text;
}

/** One character as an escape of JavaScript: `\n`, `\u202e`, `\u{e0001}`. */
export function escapeCharacter(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return SHORT[character] ?? (code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\u{${code}}`);
}
