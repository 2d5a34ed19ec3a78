import { setTimeout as sleep } from "node:timers/promises";
import { toJson } from "../bytes.js";
import type { Context } from "../context.js";
import { table } from "../terminal/columns.js";
import { Interrupted, type Output } from "../terminal/output.js";
import { clip, escapeText } from "../terminal/text.js";
import { type DirectoryLook, DirectoryWatch } from "./directory-watch.js";
import { lookLine, lookRows } from "./look-text.js";

/** Shows what the files of a data directory tell, every so many seconds, until it is interrupted: that is how it ends. */
export async function watch({ io, out, options }: Context, seconds: number): Promise<void> {
  const directory = new DirectoryWatch(options.data, options.maxRecordBytes);
  const title = `${options.data}, every ${seconds} s; Ctrl-C ends it`;
  const show = options.json
    ? (look: DirectoryLook) => out.line(toJson(look))
    : out.isTty
      ? redrawing(out, title)
      : (look: DirectoryLook) => out.line(lookLine(look));
  try {
    while (io.signal?.aborted !== true) {
      await show(await directory.look());
      await out.flush();
      await sleep(seconds * 1000, undefined, io.signal && { signal: io.signal });
    }
  } catch (error) {
    if (io.signal?.aborted !== true && !(error instanceof Interrupted)) throw error;
  }
}

/** In place of what it showed before. */
function redrawing(out: Output, title: string): (look: DirectoryLook) => Promise<void> | undefined {
  let drawn = 0;
  return (look) => {
    const text = [out.colors.bold(fit(out, escapeText(title))), ...table(lookRows(look)).split("\n")];
    const lines = text.map((line, index) => `${index === 0 ? line : fit(out, line)}\u001b[K\n`);
    const up = drawn === 0 ? "" : `\u001b[${drawn}A`;
    drawn = lines.length;
    return out.write(`${up}${lines.join("")}\u001b[J`);
  };
}

/** A line that wrapped would be two. */
function fit(out: Output, line: string): string {
  return clip(line, Math.max(1, out.columns - 1));
}
