/** A word of a command line, without its quotes. */
export interface Word {
  readonly text: string;
  /** Where it begins in the line, quotes included. */
  readonly start: number;
  /** Where its last piece begins: behind the quote that is open, or at `start`. */
  readonly pieceStart: number;
  /** What the pieces before the last one say. */
  readonly before: string;
  /** Whether a quote was opened and closed in it. */
  readonly hasClosedQuote: boolean;
}

export type OpenEnd = "'" | '"' | "\\" | "{";

export interface SplitLine {
  readonly words: readonly Word[];
  /** The end of the line belongs to the last word: no space follows it. */
  readonly endsInWord: boolean;
  /** What must still be closed: a quote, a bracket of a JSON value (`{`), or a backslash at the end. */
  readonly open: OpenEnd | undefined;
}

const SPACE = /\s/;
// What a backslash in double quotes takes its meaning from, as in sh.
const ESCAPED_IN_QUOTES = /["\\$`]/;

/**
 * Splits a line as sh does: white space, backslashes, single and double quotes. Nothing is expanded.
 * @param withJson a word that begins with `{` or `[` goes on until its brackets close, and keeps its quotes and spaces
 */
export function splitLine(line: string, { withJson = false } = {}): SplitLine {
  const words: Word[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && SPACE.test(line.charAt(at))) at++;
    if (at === line.length) return { words, endsInWord: false, open: undefined };
    const isJson = withJson && /[{[]/.test(line.charAt(at));
    const read = isJson ? readJson(line, at) : readWord(line, at);
    words.push(read.word);
    at = read.end;
    if (at === line.length) return { words, endsInWord: true, open: read.open };
  }
}

interface Read {
  readonly word: Word;
  readonly end: number;
  readonly open: OpenEnd | undefined;
}

function readWord(line: string, start: number): Read {
  let [text, before, pieceStart] = ["", "", start];
  let hasClosedQuote = false;
  let quote: "'" | '"' | undefined;
  let at = start;
  const word = () => ({ text, start, pieceStart, before, hasClosedQuote });
  for (; at < line.length; at++) {
    const character = line.charAt(at);
    if (quote === undefined && SPACE.test(character)) break;
    if (character === "\\" && quote !== "'") {
      const next = line.charAt(at + 1);
      if (next === "" && quote === undefined) return { word: word(), end: line.length, open: "\\" };
      const isEscape = quote === undefined || ESCAPED_IN_QUOTES.test(next);
      text += isEscape ? next : character + next;
      at++;
    } else if (character === quote) {
      quote = undefined;
      hasClosedQuote = true;
    } else if (quote === undefined && (character === "'" || character === '"')) {
      quote = character;
      [before, pieceStart] = [text, at + 1];
    } else text += character;
  }
  return { word: word(), end: Math.min(at, line.length), open: quote };
}

/** Brackets in strings do not count. Whether the value is valid JSON is not looked at. */
function readJson(line: string, start: number): Read {
  let depth = 0;
  let isString = false;
  let at = start;
  for (; at < line.length; at++) {
    const character = line.charAt(at);
    if (isString && character === "\\") at++;
    else if (character === '"') isString = !isString;
    else if (!isString && (character === "{" || character === "[")) depth++;
    else if (!isString && (character === "}" || character === "]")) depth--;
    else if (depth <= 0 && SPACE.test(character)) break;
  }
  const end = Math.min(at, line.length);
  const text = line.slice(start, end);
  const word = { text, start, pieceStart: start, before: "", hasClosedQuote: false };
  return { word, end, open: depth > 0 || isString ? "{" : undefined };
}
