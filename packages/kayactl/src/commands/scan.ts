import type { Engine, KeyValue, RangeOptions } from "@kaya/engine";
import type { Command } from "commander";
import { jsonField, toJson } from "../bytes.js";
import { type Context, type Execute, ExitCode, type Register } from "../context.js";
import { entryJson } from "../export/json-lines.js";
import { pagesOf } from "../pages.js";
import { addRange, type RangeScanOptions, toRange } from "../range-options.js";
import { type EntryLines, tabbedLines, terminalLines } from "../terminal/entry-lines.js";
import { Interrupted } from "../terminal/output.js";
import { plural } from "../units.js";
import { withEngine } from "../with-engine.js";

interface ScanOptions extends RangeScanOptions {
  readonly keysOnly?: boolean;
}

export const registerScan: Register = (program, execute) => {
  const command = program
    .command("scan")
    .summary("list entries in key order")
    .description(
      "List the entries whose keys begin with PREFIX, or all entries, in bytewise order of their keys.",
    )
    .option("--keys-only", "print no values");
  addScan(command, execute, {
    about: "A line is the key, a tab, and the value. A terminal shows columns, and cuts long values.",
    examples: [
      "scan user: --limit 10",
      "scan --gte 2026-01 --lt 2026-02 --reverse",
      "scan --json | jq -r '.items[].key'",
    ],
  });
};

export const registerLs: Register = (program, execute) => {
  const command = program
    .command("ls")
    .summary("list keys: scan --keys-only")
    .description(
      'List the keys that begin with PREFIX, or all keys. The same as "kayactl scan --keys-only".',
    );
  addScan(command, execute, {
    about: "A line is a key.",
    examples: ["ls user:", "ls --reverse --limit 1"],
    given: { keysOnly: true },
  });
};

interface ScanCommand {
  readonly about: string;
  readonly examples: readonly string[];
  /** Options that the command's name says. */
  readonly given?: ScanOptions;
}

function addScan(command: Command, execute: Execute, { about, examples, given }: ScanCommand): void {
  command.argument("[PREFIX]");
  addRange(command)
    .addHelpText(
      "after",
      `\n${about}\n\nExamples:\n${examples.map((line) => `  kayactl ${line}`).join("\n")}`,
    )
    .action((prefix: string | undefined, options: ScanOptions, self) =>
      execute(self.optsWithGlobals(), (context) => scan(context, prefix, { ...options, ...given })),
    );
}

async function scan(context: Context, prefix: string | undefined, options: ScanOptions): Promise<number> {
  const { session, out, err } = context;
  const isForPeople = out.isTty && context.options.json !== true;
  const most = isForPeople && options.limit === undefined ? session?.mostLines : undefined;
  // One more says whether there are more.
  const range = toRange(prefix, most === undefined ? options : { ...options, limit: most + 1 });
  const { count, isMore } = await withEngine(
    context,
    (engine) => printEntries(context, engine, range, options, most),
    { readOnly: true },
  );
  if (!err.isTty || context.options.json) return ExitCode.Ok;
  const more = isMore ? ", and more: --limit N shows N, --gt KEY those after KEY" : "";
  await err.line(`${plural(count, "entry", "entries")}${more}`);
  return ExitCode.Ok;
}

/** @param most entries that are printed */
async function printEntries(
  context: Context,
  engine: Engine,
  range: RangeOptions,
  { keysOnly = false }: ScanOptions,
  most = Number.POSITIVE_INFINITY,
): Promise<{ count: number; isMore: boolean }> {
  const { out, io, options } = context;
  const lines = options.json ? jsonItems : out.isTty ? terminalLines(out) : tabbedLines;
  let count = 0;
  let isMore = false;
  if (options.json) await out.write('{"items":[');
  for await (const found of pagesOf(engine, range)) {
    if (io.signal?.aborted) throw new Interrupted();
    const page = found.slice(0, most - count);
    isMore = page.length < found.length;
    if (options.json && count > 0) await out.write(",");
    for (const text of lines(page, keysOnly)) {
      const writing = out.write(text);
      if (writing !== undefined) await writing;
    }
    count += page.length;
  }
  if (options.json) await out.line("]}");
  await out.flush();
  return { count, isMore };
}

const jsonItems: EntryLines = function* (page: readonly KeyValue[], keysOnly: boolean) {
  let separator = "";
  for (const entry of page) {
    yield separator + (keysOnly ? toJson(jsonField("key", entry.key)) : entryJson(entry));
    separator = ",";
  }
};
