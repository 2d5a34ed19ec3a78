import type { Candidate } from "./candidates.js";
import { splitLine, type Word } from "./split-line.js";

/** The words before the cursor, without the program's name, and the cursor's own as far as the cursor. */
export interface TypedWords {
  readonly words: readonly string[];
  readonly current: string;
}

/** A line of bash as far as the cursor, and what is needed to go on in its last word. */
export interface BashLine extends TypedWords {
  /**
   * What bash puts in the place of the piece of a word that it completes, or undefined where the value does not go on from what was typed, or
   * cannot be written there.
   */
  toReply(value: string): string | undefined;
}

/** @param breaks COMP_WORDBREAKS: bash completes what stands behind the last of these characters */
export function readBashLine(line: string, breaks: string): BashLine {
  const { words, endsInWord, open } = splitLine(line);
  const last = endsInWord ? words.at(-1) : undefined;
  const before = (last === undefined ? words : words.slice(0, -1)).map(({ text }) => text);
  const toReply = last === undefined ? quoted : replyIn(line, last, open, breaks);
  return { words: before.slice(1), current: last?.text ?? "", toReply };
}

function replyIn(line: string, word: Word, open: string | undefined, breaks: string): BashLine["toReply"] {
  if (open === "'" || open === '"') {
    return (value) =>
      value.startsWith(word.before) ? quotedIn(open, value.slice(word.before.length)) : undefined;
  }
  // What bash completes behind a closed quote, or a backslash without a character, is not known.
  if (open !== undefined || word.hasClosedQuote) return () => undefined;
  const raw = line.slice(word.start);
  let kept = 0;
  for (let at = 0; at < raw.length; at++) {
    if (raw[at] === "\\") at++;
    else if (breaks.includes(raw.charAt(at))) kept = at + 1;
  }
  const before = splitLine(raw.slice(0, kept)).words[0]?.text ?? "";
  return (value) => (value.startsWith(before) ? quoted(value.slice(before.length)) : undefined);
}

/** As a word of bash: whatever bash might take for something else stands behind a backslash. */
function quoted(text: string): string {
  return text.replace(/[^\p{L}\p{M}\p{N}_\-.,:/@%+=]/gu, "\\$&");
}

/** Inside an open quote. Bash closes it, but for a text that ends with one. Some characters have no safe form there. */
function quotedIn(quote: "'" | '"', text: string): string | undefined {
  if (text.endsWith(quote)) return undefined;
  if (quote === "'") return text.includes("'") ? undefined : text;
  return text.includes("!") ? undefined : text.replace(/["\\$`]/g, "\\$&");
}

/** Lines for a script: the value, a tab, and what it is. zsh and fish quote values themselves. */
export function describedLine({ value, description }: Candidate): string {
  const text = description === undefined ? "" : description.replace(/\s+/g, " ");
  return text === "" ? value : `${value}\t${text}`;
}
