import type { Disk } from "@kaya/io";
import { readSealedFile, writeSealedFile } from "@kaya/wal";

/** The content of the file `NODE` in a node's directory: the node's id, and the newest epoch of its records. */
export interface NodeNote {
  readonly nodeId: string;
  /** The records of this node have no later epoch. 0: not known. */
  readonly epoch: number;
}

const NODE_PATH = "NODE";

/** @throws KayaError KAYA_CORRUPTION, KAYA_IO */
export async function readNodeNote(disk: Disk): Promise<NodeNote | undefined> {
  const [nodeId, epoch] = (await readSealedFile(disk, NODE_PATH))?.split("\n") ?? [];
  if (nodeId === undefined || nodeId === "") return undefined;
  return { nodeId, epoch: Number(epoch ?? 0) || 0 };
}

/** Writes the file `NODE` durably. @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED */
export function writeNodeNote(disk: Disk, { nodeId, epoch }: NodeNote): Promise<void> {
  return writeSealedFile(disk, NODE_PATH, `${nodeId}\n${epoch}\n`);
}
