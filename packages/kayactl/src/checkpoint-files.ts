import type { Lsn } from "@kaya/core";
import { NodeDisk } from "@kaya/io";
import type { SegmentLocation } from "@kaya/wal";

const DIRECTORY = "checkpoint";
const NAME = /^([0-9a-f]{16})\.ckpt$/;
const TEMPORARY_NAME = /^[0-9a-f]{16}\.ckpt\.tmp$/;

/** What is in `checkpoint/`, by name. Paths are relative to the data directory, and in order. */
export interface CheckpointFiles {
  /** The one that an opening reads. */
  readonly newest: (SegmentLocation & { readonly lsn: Lsn }) | undefined;
  /** Not read any more. The next opening removes them. */
  readonly older: readonly string[];
  /** Not finished: by a crash, or not yet. */
  readonly leftovers: readonly string[];
  /** Not ours. */
  readonly unknown: readonly string[];
}

/** A file that is named like a checkpoint and cannot be one is left out: every opening refuses it by its name. */
export async function listCheckpointFiles(dataDir: string): Promise<CheckpointFiles> {
  const disk = new NodeDisk(dataDir);
  const files: (SegmentLocation & { readonly lsn: Lsn })[] = [];
  const leftovers: string[] = [];
  const unknown: string[] = [];
  for (const { path, isDirectory, length } of await disk.list(DIRECTORY)) {
    const name = path.slice(DIRECTORY.length + 1);
    const lsn = coveredLsn(name);
    if (lsn !== undefined && !isDirectory) files.push({ disk, path, name: path, length, lsn });
    else if (!isDirectory && TEMPORARY_NAME.test(name)) leftovers.push(path);
    else if (!NAME.test(name)) unknown.push(path);
  }
  return { newest: files.at(-1), older: files.slice(0, -1).map(({ path }) => path), leftovers, unknown };
}

/** The last record of the log that a checkpoint of this name covers; undefined for any other name. */
export function coveredLsn(name: string): Lsn | undefined {
  const digits = NAME.exec(name)?.[1];
  const lsn = digits === undefined ? Number.NaN : Number.parseInt(digits, 16);
  return Number.isSafeInteger(lsn) ? lsn : undefined;
}

/** What lies beside the checkpoint that counts, a sentence a file. */
export function notesOn({ older, leftovers, unknown }: CheckpointFiles): string[] {
  return [
    ...older.map((path) => `${path} is older than the newest checkpoint: the next opening removes it`),
    ...leftovers.map(
      (path) =>
        `${path} is not finished: it is being written, or a crash left it and the next opening removes it`,
    ),
    ...unknown.map((path) => `${path} is no checkpoint: left alone`),
  ];
}

/** Whether a message speaks of a checkpoint's file. */
export function namesCheckpoint(message: string): boolean {
  return /checkpoint\/[0-9a-f]{16}\.ckpt/.test(message);
}
