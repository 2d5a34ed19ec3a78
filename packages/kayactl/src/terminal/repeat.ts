import { setTimeout as sleep } from "node:timers/promises";
import { InvalidArgumentError } from "commander";
import { toJson } from "../bytes.js";
import type { Context } from "../context.js";
import { Interrupted, type Output } from "./output.js";
import { clip, escapeText } from "./text.js";

const MOST_SECONDS = 86_400;

/** Something that is looked at again and again. */
export interface Repeated<T> {
  /** What it is, without how often. */
  readonly title: string;
  look(): Promise<T>;
  /** For a terminal: lines that replace those of the look before. */
  lines(look: T): readonly string[];
  /** For a file or another program: one line. */
  line(look: T): string;
}

/** Shows it every so many seconds until it is interrupted: that is how it ends. With --json a document a look. */
export async function repeat<T>(
  { io, out, options }: Context,
  seconds: number,
  what: Repeated<T>,
): Promise<void> {
  const show = options.json
    ? (look: T) => out.line(toJson(look))
    : out.isTty
      ? redrawing(out, seconds, what)
      : (look: T) => out.line(what.line(look));
  try {
    while (io.signal?.aborted !== true) {
      await show(await what.look());
      await out.flush();
      await sleep(seconds * 1000, undefined, io.signal && { signal: io.signal });
    }
  } catch (error) {
    if (io.signal?.aborted !== true && !(error instanceof Interrupted)) throw error;
  }
}

/** In place of what it showed before. */
function redrawing<T>(
  out: Output,
  seconds: number,
  { title, lines }: Repeated<T>,
): (look: T) => Promise<void> | undefined {
  const head = out.colors.bold(fit(out, escapeText(`${title}, every ${seconds} s; Ctrl-C ends it`)));
  let drawn = 0;
  return (look) => {
    const text = [head, ...lines(look).map((line) => fit(out, line))].map((line) => `${line}\u001b[K\n`);
    const up = drawn === 0 ? "" : `\u001b[${drawn}A`;
    drawn = text.length;
    return out.write(`${up}${text.join("")}\u001b[J`);
  };
}

/** A line that wrapped would be two. */
function fit(out: Output, line: string): string {
  return clip(line, Math.max(1, out.columns - 1));
}

/** For commander: how often, in seconds. */
export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d*\.?\d+$/.test(text) && seconds >= 0.1 && seconds <= MOST_SECONDS) return seconds;
  throw new InvalidArgumentError(`It must be a number of seconds from 0.1 to ${MOST_SECONDS}.`);
}
