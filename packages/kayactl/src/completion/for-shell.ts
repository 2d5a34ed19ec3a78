import type { Candidate, TypedWords } from "./candidates.js";
import { type OpenEnd, splitLine, type Word } from "./split-line.js";

/** A line of bash as far as the cursor, and what is needed to go on in its last word. */
export interface BashLine extends TypedWords {
  /** The piece that is completed, as it was typed. */
  readonly piece: string;
  /** The quote that is open in it. */
  readonly quote: "'" | '"' | undefined;
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
  const reply =
    last === undefined ? { piece: "", quote: undefined, toReply: quoted } : replyIn(line, last, open, breaks);
  return { words: before.slice(1), current: last?.text ?? "", ...reply };
}

type Reply = Pick<BashLine, "piece" | "quote" | "toReply">;

function replyIn(line: string, word: Word, open: OpenEnd | undefined, breaks: string): Reply {
  if (open === "'" || open === '"') {
    const toReply = (value: string) =>
      value.startsWith(word.before) ? quotedIn(open, value.slice(word.before.length)) : undefined;
    return { piece: line.slice(word.pieceStart), quote: open, toReply };
  }
  // What is completed behind a closed quote, or a backslash without a character, is not known.
  if (open !== undefined || word.hasClosedQuote)
    return { piece: "", quote: undefined, toReply: () => undefined };
  const raw = line.slice(word.start);
  let kept = 0;
  for (let at = 0; at < raw.length; at++) {
    if (raw[at] === "\\") at++;
    else if (breaks.includes(raw.charAt(at))) kept = at + 1;
  }
  const before = splitLine(raw.slice(0, kept)).words[0]?.text ?? "";
  const toReply = (value: string) =>
    value.startsWith(before) ? quoted(value.slice(before.length)) : undefined;
  return { piece: raw.slice(kept), quote: undefined, toReply };
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
