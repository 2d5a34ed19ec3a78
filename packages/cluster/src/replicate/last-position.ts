import type { LogHistory } from "@kaya/wal";
import type { BlobOptions, BlobStore } from "../blob-store.js";
import { readBase } from "../shipment/base-object.js";
import { readChunk } from "./log-chunk.js";
import { type CopyName, listChunks, listCopies } from "./replica-names.js";
import { readRun, type ShippedPosition } from "./run.js";

/** The last shipped position of the newest run. */
export interface LastPosition {
  readonly run: string;
  /** The first run of its generation. */
  readonly generation: string;
  /** The identity of the log that it shipped. */
  readonly history: LogHistory;
  readonly position: ShippedPosition;
  readonly time: number;
  /** The newest base. A collector never removes it. */
  readonly newestBase: CopyName | undefined;
}

/**
 * Finds the last shipped position of the newest run that shipped anything; undefined if no run did.
 * @param runs oldest first
 * @throws KayaError KAYA_CORRUPTION, KAYA_NOT_FOUND, KAYA_IO
 */
export async function findLastPosition(
  store: BlobStore,
  runs: readonly string[],
  options?: BlobOptions,
): Promise<LastPosition | undefined> {
  const copies = await listCopies(store, undefined, options);
  for (const name of [...runs].reverse()) {
    const run = await readRun(store, name, options);
    const chunk = (await listChunks(store, name, options)).reduce<
      Awaited<ReturnType<typeof listChunks>>[number] | undefined
    >((last, each) => (last === undefined || each.lastLsn >= last.lastLsn ? each : last), undefined);
    const copy = copies.filter((each) => each.run === name).at(-1);
    // A run that has shipped nothing yet has the position of the run that it continues.
    if (chunk === undefined && copy === undefined) continue;
    const time = Math.max(chunk?.time ?? 0, copy?.time ?? 0, run.time);
    const newestBase = newestOf(copies, runs);
    const shared = { run: name, generation: run.generation, history: run.history, time, newestBase };
    if (chunk !== undefined) {
      const { lastLsn: lsn, lastSequence: sequence, lastCrc } = await readChunk(store, chunk, options);
      return { ...shared, position: { lsn, sequence, recordCrc: lastCrc } };
    }
    if (run.continues !== undefined) continue;
    const { covered } = await readBase(store, (copy as CopyName).name, options);
    return { ...shared, position: { ...covered, recordCrc: undefined } };
  }
  return undefined;
}

function newestOf(copies: readonly CopyName[], runs: readonly string[]): CopyName | undefined {
  for (const run of [...runs].reverse()) {
    const newest = copies.filter((copy) => copy.run === run).at(-1);
    if (newest !== undefined) return newest;
  }
  return undefined;
}
