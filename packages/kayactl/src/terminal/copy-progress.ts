import type { BackupProgress } from "@kaya/engine";
import type { Context } from "../context.js";
import { formatBytes, plural } from "../units.js";
import { shownAs } from "./progress-line.js";
import { whileShown } from "./while-shown.js";

const BAR_WIDTH = 24;

/** Shows how far the writing of a new directory is, once it takes long, and ends it where the user wants that. */
export function withCopyProgress<T>(
  context: Context,
  name: string,
  work: (onProgress: (progress: BackupProgress) => void) => Promise<T>,
): Promise<T> {
  const show = shownAs((progress: BackupProgress) => describe(name, progress));
  return whileShown<BackupProgress, T>(context, show, work);
}

function describe(name: string, { bytes, totalBytes, copiedTables, reusedTables }: BackupProgress): string {
  const share = totalBytes === 0 ? 1 : bytes / totalBytes;
  const filled = Math.round(share * BAR_WIDTH);
  const bar = "#".repeat(filled) + ".".repeat(BAR_WIDTH - filled);
  const tables = plural(copiedTables + reusedTables, "table");
  return `${name} [${bar}] ${Math.floor(share * 100)}%, ${tables}, ${formatBytes(bytes)}`;
}
