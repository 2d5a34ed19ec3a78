import type { Context } from "../context.js";
import { table } from "../terminal/columns.js";
import { repeat } from "../terminal/repeat.js";
import { DirectoryWatch } from "./directory-watch.js";
import { lookLine, lookRows } from "./look-text.js";

/** Shows what the files of a data directory tell, every so many seconds, until it is interrupted. */
export async function watch(context: Context, seconds: number): Promise<void> {
  const { data, maxRecordBytes } = context.options;
  const directory = new DirectoryWatch(data, maxRecordBytes);
  await repeat(context, seconds, {
    title: data,
    look: () => directory.look(),
    lines: (look) => table(lookRows(look)).split("\n"),
    line: lookLine,
  });
}
