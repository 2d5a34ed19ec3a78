import type { Engine, KeyValue, RangeOptions } from "@kaya/engine";
import { jsonField, parseBytes, toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { type EntryLines, tabbedLines, terminalLines } from "../entry-lines.js";
import { parseWholeNumber } from "../options.js";
import { Interrupted } from "../output.js";
import { plural } from "../units.js";
import { withEngine } from "../with-engine.js";

interface ScanOptions {
  readonly keyHex?: boolean;
  readonly limit?: number;
  readonly reverse?: boolean;
  readonly keysOnly?: boolean;
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly lte?: string;
}

const BOUNDS = ["gt", "gte", "lt", "lte"] as const;
const PAGE_BYTES = 4 * 1024 * 1024;
const MAX_PAGE_ENTRIES = 1000;

export const registerScan: Register = (program, execute) => {
  program
    .command("scan")
    .summary("list entries in key order")
    .description("List the entries whose keys begin with PREFIX, or all, in bytewise order of their keys.")
    .argument("[PREFIX]")
    .option("--limit <n>", "at most so many entries", parseWholeNumber)
    .option("--reverse", "from the last key to the first")
    .option("--gt <key>", "only keys behind this one")
    .option("--gte <key>", "this key, and those behind it")
    .option("--lt <key>", "only keys before this one")
    .option("--lte <key>", "this key, and those before it")
    .option("--keys-only", "without values")
    .option("--key-hex", "PREFIX and the bounds are given in hex")
    .addHelpText(
      "after",
      `
A line is the key, a tab, and the value. On a terminal they stand in columns, and long values are cut.

Examples:
  kayactl scan user: --limit 10
  kayactl scan --gte 2026-01 --lt 2026-02 --reverse
  kayactl scan --json | jq -r '.items[].key'`,
    )
    .action((prefix: string | undefined, options: ScanOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const range = toRange(prefix, options);
        const count = await withEngine(context, (engine) => printEntries(context, engine, range, options), {
          readOnly: true,
        });
        if (context.err.isTty && !context.options.json)
          await context.err.line(plural(count, "entry", "entries"));
        return ExitCode.Ok;
      }),
    );
};

function toRange(prefix: string | undefined, options: ScanOptions): RangeOptions {
  const isHex = options.keyHex === true;
  const range: { -readonly [K in keyof RangeOptions]: RangeOptions[K] } = {
    reverse: options.reverse === true,
  };
  if (options.limit !== undefined) range.limit = options.limit;
  if (prefix !== undefined) range.prefix = parseBytes(prefix, "PREFIX", isHex);
  for (const bound of BOUNDS) {
    const given = options[bound];
    if (given !== undefined) range[bound] = parseBytes(given, `--${bound}`, isHex);
  }
  return range;
}

async function printEntries(
  context: Context,
  engine: Engine,
  range: RangeOptions,
  { keysOnly = false }: ScanOptions,
): Promise<number> {
  const { out, io, options } = context;
  const lines = options.json ? jsonItems : out.isTty ? terminalLines(out) : tabbedLines;
  let count = 0;
  if (options.json) await out.write('{"items":[');
  for await (const page of engine.scan(range).pages(pageSize(engine))) {
    if (io.signal?.aborted) throw new Interrupted();
    if (options.json && count > 0) await out.write(",");
    for (const text of lines(page, keysOnly)) {
      const writing = out.write(text);
      if (writing !== undefined) await writing;
    }
    count += page.length;
  }
  if (options.json) await out.line("]}");
  await out.flush();
  return count;
}

/** Few large values, or many small ones: a page is copied. */
function pageSize(engine: Engine): number {
  const { entries, keyBytes, valueBytes } = engine.stats();
  const bytesPerEntry = (keyBytes + valueBytes) / Math.max(1, entries);
  return Math.max(1, Math.min(MAX_PAGE_ENTRIES, Math.floor(PAGE_BYTES / Math.max(1, bytesPerEntry))));
}

const jsonItems: EntryLines = function* (page: readonly KeyValue[], keysOnly: boolean) {
  let separator = "";
  for (const { key, value } of page) {
    yield separator + toJson({ ...jsonField("key", key), ...(keysOnly ? {} : jsonField("value", value)) });
    separator = ",";
  }
};
