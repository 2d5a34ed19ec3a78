import type { LogPosition } from "@kaya/core";
import type { Disk, SimDisk } from "@kaya/io";

const CHECKPOINT_PATH = "checkpoint";

/** Stands for a checkpoint of everything up to here: durable, and whole or not there. */
export async function writeCheckpoint(disk: Disk, position: LogPosition): Promise<void> {
  const temporary = `${CHECKPOINT_PATH}.tmp`;
  const file = await disk.open(temporary, { create: true });
  await file.truncate(0);
  await file.append(Buffer.from(JSON.stringify(position)));
  await file.sync();
  await file.close();
  await disk.rename(temporary, CHECKPOINT_PATH);
  await disk.syncDir("");
}

/** The position of the checkpoint; the log's start where there is none. */
export function readCheckpoint(disk: SimDisk): LogPosition {
  const bytes = disk.readFile(CHECKPOINT_PATH);
  if (bytes === undefined) return { lsn: 0, sequence: 0 };
  const { lsn, sequence } = JSON.parse(Buffer.from(bytes).toString()) as LogPosition;
  return { lsn, sequence };
}
