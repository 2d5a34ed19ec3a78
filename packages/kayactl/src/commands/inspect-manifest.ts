import { inspectManifestPath } from "@kaya/lsm";
import type { Context } from "../context.js";
import type { InspectedCount, InspectedFiles, InspectFilesOptions } from "../inspect/inspect-files.js";
import { jsonManifests, manifestLines } from "../inspect/manifest-printer.js";
import { Interrupted } from "../terminal/output.js";

export const inspectedManifests: InspectedFiles = {
  name: "manifest",
  what: "manifest",
  summary: "the edits of a manifest: its tables, and the log that they cover",
  description:
    "List the records of the manifest at PATH (a file, or a directory with .manifest files or manifest/) with the tables that each adds (+) " +
    "and removes (-), then all damage, then the resulting state. Of several manifests the last one counts.",
  summaryOption: "only the resulting state, with its tables",
  examples: [
    "data",
    "data/manifest/0000000000000003.manifest",
    "data --summary",
    "data --json | jq '.manifests[-1].state.covered'",
  ],
  inspect: inspectManifests,
};

async function inspectManifests(
  { out, options, io }: Context,
  { path, isDirectory, isSummary }: InspectFilesOptions,
): Promise<InspectedCount> {
  const inspections = await inspectManifestPath(path);
  if (io.signal?.aborted) throw new Interrupted();
  if (options.json === true) await out.line(jsonManifests(inspections, isSummary));
  else
    for (const inspection of inspections)
      for (const line of manifestLines(inspection, { isDirectory, summary: isSummary, colors: out.colors }))
        await out.line(line);
  return {
    files: inspections.length,
    isDamaged: inspections.some(({ verdict }) => verdict !== "whole"),
  };
}
