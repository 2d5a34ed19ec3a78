import { type CheckpointDirectory, type CheckpointFile, checkpointLsn, listCheckpoints } from "@kaya/engine";
import { NodeDisk } from "@kaya/io";
import type { SegmentLocation } from "@kaya/wal";

export { checkpointLsn as coveredLsn };

/** What is in `checkpoint/`. A file that is named like a checkpoint and cannot be one is left out: every opening refuses it by its name. */
export function listCheckpointFiles(dataDir: string): Promise<CheckpointDirectory> {
  return listCheckpoints(new NodeDisk(dataDir));
}

/** Where its records are. */
export function locateCheckpoint(dataDir: string, { path, bytes }: CheckpointFile): SegmentLocation {
  return { disk: new NodeDisk(dataDir), path, name: path, length: bytes };
}

/** What lies beside the checkpoint that counts, a sentence a file. */
export function notesOn({ older, leftovers, unknown }: CheckpointDirectory): string[] {
  return [
    ...older.map(({ path }) => `${path} is older than the newest checkpoint: the next opening removes it`),
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
