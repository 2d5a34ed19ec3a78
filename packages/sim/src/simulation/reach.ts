import { KayaError, type Lsn } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { readRecordFile, type WalRecord } from "@kaya/wal";
import { lsnOfCheckpoint } from "./found-checkpoint.js";

/** From where on the states of a directory can be had, told by the names and first records in it. */
export interface Reach {
  /** What the checkpoints cover. */
  readonly checkpoints: readonly Lsn[];
  readonly firstInLog: Lsn;
}

export async function reachOf(disk: SimDisk, maxRecordBytes: number): Promise<Reach> {
  const files = await disk.list("checkpoint");
  const checkpoints = files.flatMap(({ path }) => lsnOfCheckpoint(path) ?? []);
  for (const { path } of await disk.list("wal")) {
    const first = path.endsWith(".wal") ? await firstRecord(disk, path, maxRecordBytes) : undefined;
    if (first !== undefined) return { checkpoints, firstInLog: first.lsn };
  }
  return { checkpoints, firstInLog: Number.POSITIVE_INFINITY };
}

export function isInReach(lsn: Lsn, { checkpoints, firstInLog }: Reach): boolean {
  return (
    checkpoints.includes(lsn) || [0, ...checkpoints].some((from) => from < lsn && firstInLog <= from + 1)
  );
}

/** Undefined where there is none, or no whole one. */
async function firstRecord(
  disk: SimDisk,
  path: string,
  maxRecordBytes: number,
): Promise<WalRecord | undefined> {
  const records: WalRecord[] = [];
  try {
    for await (const _ of readRecordFile(disk, path, maxRecordBytes, (record) => records.push(record))) {
    }
  } catch (error) {
    if (!KayaError.is(error)) throw error; // a tail that a crash tore
  }
  return records[0];
}
