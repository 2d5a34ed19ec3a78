import { stat } from "node:fs/promises";
import { inspectManifestPath } from "@kaya/lsm";
import type { Command } from "commander";
import { type Context, type Execute, ExitCode } from "../context.js";
import { jsonManifests, manifestLines } from "../manifest-printer.js";
import { Interrupted } from "../output.js";
import { escapeText } from "../text.js";

interface ManifestOptions {
  readonly summary?: boolean;
}

export function registerInspectManifest(inspect: Command, execute: Execute): void {
  inspect
    .command("manifest")
    .summary("the edits of a manifest: which tables are alive, and what of the log they cover")
    .description(
      "List the records of the manifest at PATH (a file, or a directory with .manifest files, or with manifest/) with the tables that each adds (+) " +
        "and removes (-), then what is wrong with it, then what it comes to. Of several manifests the last one counts. Takes no lock, " +
        "writes nothing. Exit code 3 where anything is damaged.",
    )
    .argument("<PATH>")
    .option("--summary", "what it comes to alone, with the tables that are alive")
    .addHelpText(
      "after",
      `
Examples:
  kayactl inspect manifest data
  kayactl inspect manifest data/manifest/0000000000000003.manifest
  kayactl inspect manifest data --summary
  kayactl inspect manifest data --json | jq '.manifests[-1].state.covered'`,
    )
    .action((path: string, options: ManifestOptions, command) =>
      execute(command.optsWithGlobals(), (context) => inspectManifests(context, path, options)),
    );
}

async function inspectManifests(
  { out, err, options, io }: Context,
  path: string,
  { summary = false }: ManifestOptions,
): Promise<number> {
  const inspections = await inspectManifestPath(path);
  if (io.signal?.aborted) throw new Interrupted();
  if (inspections.length === 0) await err.line(`note: there is no manifest in ${escapeText(path)}`);
  if (options.json === true) await out.line(jsonManifests(inspections, summary));
  else {
    const isDirectory = (await stat(path)).isDirectory();
    for (const inspection of inspections)
      for (const line of manifestLines(inspection, { isDirectory, summary, colors: out.colors }))
        await out.line(line);
  }
  return inspections.some(({ verdict }) => verdict !== "whole") ? ExitCode.Damaged : ExitCode.Ok;
}
