import { KayaError, type Lsn } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { readRecordFile, type WalRecord } from "@kaya/wal";
import { findTables } from "./found-tables.js";

/** From where on the states of a directory can be had. */
export interface Reach {
  /** What the tables cover. */
  readonly covered: Lsn;
  readonly firstInLog: Lsn;
}

export async function reachOf(disk: SimDisk, maxRecordBytes: number): Promise<Reach> {
  const covered = (await findTables(disk))?.covered.lsn ?? 0;
  for (const { path } of await disk.list("wal")) {
    const first = path.endsWith(".wal") ? await firstRecord(disk, path, maxRecordBytes) : undefined;
    if (first !== undefined) return { covered, firstInLog: first.lsn };
  }
  return { covered, firstInLog: Number.POSITIVE_INFINITY };
}

export function isInReach(lsn: Lsn, { covered, firstInLog }: Reach): boolean {
  return covered === lsn || firstInLog === 1 || (covered < lsn && firstInLog <= covered + 1);
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
