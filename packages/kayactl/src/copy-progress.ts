import type { CheckpointProgress } from "@kaya/engine";
import type { Context } from "./context.js";
import { Interrupted } from "./output.js";
import { ProgressLine } from "./progress-line.js";
import { formatBytes, formatCount } from "./units.js";

const BAR_WIDTH = 24;

/** Shows how far the writing of a new directory is, once it takes long, and ends it where the user wants that. */
export async function withCopyProgress<T>(
  { io, err, options }: Context,
  name: string,
  work: (onProgress: (progress: CheckpointProgress) => void) => Promise<T>,
): Promise<T> {
  const line = options.json === true && !err.isTty ? undefined : new ProgressLine(io.stderr);
  try {
    return await work((progress) => {
      if (io.signal?.aborted) throw new Interrupted();
      line?.update(() => describe(name, progress));
    });
  } finally {
    line?.done();
  }
}

function describe(name: string, { entries, totalEntries, bytes }: CheckpointProgress): string {
  const share = totalEntries === 0 ? 1 : entries / totalEntries;
  const filled = Math.round(share * BAR_WIDTH);
  const bar = "#".repeat(filled) + ".".repeat(BAR_WIDTH - filled);
  return `${name} [${bar}] ${Math.floor(share * 100)}%, ${formatCount(entries)} entries, ${formatBytes(bytes)}`;
}
