import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { type Context, type Execute, ExitCode } from "../context.js";
import { escapeText } from "../terminal/text.js";

/** A kind of file that `inspect` lists piece by piece. */
export interface InspectedFiles {
  readonly name: string;
  /** One of them, for a note. */
  readonly what: string;
  readonly summary: string;
  readonly description: string;
  /** What `--summary` gives. */
  readonly summaryOption: string;
  readonly examples: readonly string[];
  inspect(context: Context, options: InspectFilesOptions): Promise<InspectedCount>;
}

export interface InspectFilesOptions {
  readonly path: string;
  /** Each file under a line of its own. */
  readonly isDirectory: boolean;
  readonly isSummary: boolean;
}

export interface InspectedCount {
  readonly files: number;
  readonly isDamaged: boolean;
}

/** Adds `inspect NAME PATH`. */
export function registerInspectFiles(inspect: Command, execute: Execute, files: InspectedFiles): void {
  inspect
    .command(files.name)
    .summary(files.summary)
    .description(`${files.description} Takes no lock and writes nothing. Exit code 3 means damage.`)
    .argument("<PATH>")
    .option("--summary", files.summaryOption)
    .addHelpText(
      "after",
      `\nExamples:\n${files.examples.map((line) => `  kayactl inspect ${files.name} ${line}`).join("\n")}`,
    )
    .action((path: string, { summary = false }: { readonly summary?: boolean }, command) =>
      execute(command.optsWithGlobals(), (context) => inspectAt(context, path, summary, files)),
    );
}

async function inspectAt(
  context: Context,
  path: string,
  isSummary: boolean,
  { what, inspect }: InspectedFiles,
): Promise<number> {
  // What is not there is told by whoever looks for its files.
  const isDirectory = await stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
  const { files, isDamaged } = await inspect(context, { path, isDirectory, isSummary });
  if (files === 0) await context.err.line(`note: there is no ${what} in ${escapeText(path)}`);
  return isDamaged ? ExitCode.Damaged : ExitCode.Ok;
}
