import { KayaError } from "@kaya/core";
import { lookSteadily } from "@kaya/engine";
import { NodeDisk } from "@kaya/io";
import {
  formatLsmWarning,
  inspectManifest,
  listManifests,
  type TreeDamage,
  type TreeVerification,
  type VerifyProgress,
  verifyTree,
} from "@kaya/lsm";
import type { Context } from "../context.js";
import type { OutputStream } from "../terminal/output.js";
import { ProgressLine } from "../terminal/progress-line.js";
import { type Shown, whileShown } from "../terminal/while-shown.js";
import { formatBytes, formatCount } from "../units.js";
import { MOST_DAMAGE } from "./damage.js";

/** The manifest and every block of every table. */
export interface TableSurvey {
  /** Undefined where the manifest is damaged: then it is not known which tables count. */
  readonly tree: TreeVerification | undefined;
  /** The first of them. */
  readonly found: readonly TreeDamage[];
  readonly count: number;
  /** A crash left an edit of the manifest unfinished, and nothing else is wrong. */
  readonly isTornAlone: boolean;
}

/** Reads every block of every table, and says how far that is. */
export async function surveyTables(context: Context): Promise<TableSurvey> {
  const disk = new NodeDisk(context.options.data);
  // An edit that another process is writing looks torn.
  const isDoubtful = ({ tree, count }: TableSurvey) => tree === undefined || count > 0;
  return whileShown<VerifyProgress, TableSurvey>(context, toShown, (onProgress) =>
    lookSteadily(disk, () => survey(disk, onProgress, context.io.signal), isDoubtful),
  );
}

async function survey(
  disk: NodeDisk,
  onProgress: (progress: VerifyProgress) => void,
  signal: AbortSignal | undefined,
): Promise<TableSurvey> {
  try {
    const tree = await verifyTree(disk, { onProgress, ...(signal && { signal }) });
    const torn = tornEdits(tree);
    const all = [...torn, ...tree.damage];
    return {
      tree,
      found: all.slice(0, MOST_DAMAGE),
      count: all.length,
      isTornAlone: torn.length > 0 && tree.damage.length === 0,
    };
  } catch (error) {
    if (!KayaError.is(error, "KAYA_CORRUPTION")) throw error;
    const found = await manifestDamage(disk);
    return { tree: undefined, found, count: found.length, isTornAlone: false };
  }
}

function tornEdits({ warnings }: TreeVerification): TreeDamage[] {
  return warnings.flatMap((warning) => {
    if (warning.kind !== "TornEdit") return [];
    const { path, offset, bytes, message } = warning;
    return [{ path, offset, message: `the last edit, ${bytes} bytes, is not whole: ${message}` }];
  });
}

/** Empty where a name alone is wrong: the refusal tells it. */
async function manifestDamage(disk: NodeDisk): Promise<TreeDamage[]> {
  const directory = await listManifests(disk).catch((error: unknown) => {
    if (KayaError.is(error, "KAYA_CORRUPTION")) return undefined;
    throw error;
  });
  const path = directory?.newest?.path;
  if (path === undefined) return [];
  const { damage } = await inspectManifest(disk, path);
  return damage === undefined ? [] : [{ path, offset: damage.offset, message: damage.message }];
}

/** What is beside the tables and no damage, a sentence a file. */
export function notesOn({ warnings, orphans }: Pick<TreeVerification, "warnings" | "orphans">): string[] {
  return [
    ...orphans.map(
      (path) =>
        `${path} is named by no manifest: it is being written, or a crash left it and the next opening removes it`,
    ),
    ...warnings.filter(({ kind }) => kind !== "TornEdit").map(formatLsmWarning),
  ];
}

function toShown(stream: OutputStream): Shown<VerifyProgress> {
  const line = new ProgressLine(stream);
  return {
    update: (progress) => line.update(() => describe(progress)),
    done: () => line.done(),
  };
}

function describe({ tables, totalTables, bytes, totalBytes }: VerifyProgress): string {
  const share = totalBytes === 0 ? 1 : Math.min(1, bytes / totalBytes);
  return (
    `reading the tables: ${String(Math.floor(share * 100)).padStart(3)}%, ${formatCount(tables)} of ${formatCount(totalTables)}, ` +
    `${formatBytes(bytes)} of ${formatBytes(totalBytes)}`
  );
}
